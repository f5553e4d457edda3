package tenon;

import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/**
 * What user code prints, kept apart by request: System.out and System.err write to the request of the thread that
 * prints, or of the thread that started it. Only the beginning and the end of much output are kept.
 */
public final class Output extends OutputStream {
	static final PrintStream REAL = System.err;
	private static final int KEPT = 32 << 10;
	private static final InheritableThreadLocal<Output> current = new InheritableThreadLocal<>();

	private final ByteArrayOutputStream head = new ByteArrayOutputStream();
	private final byte[] tail = new byte[KEPT];
	private long beyond;

	@Override
	public synchronized void write(int b) {
		if (head.size() < KEPT)
			head.write(b);
		else
			tail[(int) (beyond++ % KEPT)] = (byte) b;
	}

	@Override
	public synchronized void write(byte[] b, int from, int n) {
		for (int i = 0; i < n; i++)
			write(b[from + i]);
	}

	/** All that was kept. */
	public synchronized String text() {
		ByteArrayOutputStream all = new ByteArrayOutputStream();
		all.writeBytes(head.toByteArray());
		if (beyond > KEPT)
			all.writeBytes(("\n[" + (beyond - KEPT) + " bytes left out]\n").getBytes(StandardCharsets.UTF_8));
		int start = beyond > KEPT ? (int) (beyond % KEPT) : 0;
		for (int i = 0; i < Math.min(beyond, KEPT); i++)
			all.write(tail[(start + i) % KEPT]);
		return all.toString(StandardCharsets.UTF_8);
	}

	public synchronized void clear() {
		head.reset();
		beyond = 0;
	}

	/** This thread, and those that it starts from now on, print to `o`; null: to nowhere. */
	public static void use(Output o) {
		if (o == null)
			current.remove();
		else
			current.set(o);
	}

	static void install() {
		OutputStream switched = new OutputStream() {
			@Override
			public void write(int b) {
				Output o = current.get();
				if (o != null)
					o.write(b);
			}

			@Override
			public void write(byte[] b, int from, int n) {
				Output o = current.get();
				if (o != null)
					o.write(b, from, n);
			}
		};
		System.setOut(new PrintStream(switched, true, StandardCharsets.UTF_8));
		System.setErr(new PrintStream(switched, true, StandardCharsets.UTF_8));
		System.setIn(InputStream.nullInputStream());
	}
}
