package tenon;

import clojure.lang.IFn;
import clojure.lang.PersistentVector;
import clojure.lang.RT;
import clojure.lang.Symbol;
import clojure.lang.Var;
import java.io.EOFException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;

/** The worker's process: connects, reads requests, carries out each on a thread of its own, sends answers. */
public final class Main {
	private static final long STACK = 64L << 20;
	private static final int FRAME_MAX = 1 << 30;

	private static Main instance;

	private final SocketChannel channel;
	private final ByteBuffer in = ByteBuffer.allocate(1 << 16).flip();

	private Main(SocketChannel channel) {
		this.channel = channel;
	}

	private byte next() throws IOException {
		while (!in.hasRemaining()) {
			in.clear();
			int n = channel.read(in);
			in.flip();
			if (n < 0)
				throw new EOFException();
		}
		return in.get();
	}

	private String receive() throws IOException {
		int n = 0;
		for (byte c = next(); c != '\n'; c = next()) {
			if (c < '0' || c > '9' || n > FRAME_MAX / 10)
				throw new IOException("a frame does not begin with its length");
			n = n * 10 + (c - '0');
		}
		byte[] body = new byte[n];
		for (int have = 0; have < n;) {
			if (!in.hasRemaining()) {
				body[have++] = next();
				continue;
			}
			int some = Math.min(in.remaining(), n - have);
			in.get(body, have, some);
			have += some;
		}
		return new String(body, StandardCharsets.UTF_8);
	}

	/** Sends what is no answer: how far a request has come. */
	public static void tell(Object message) {
		instance.send(message);
	}

	private void send(Object message) {
		StringBuilder text = new StringBuilder();
		Sexp.write(message, text);
		byte[] body = text.toString().getBytes(StandardCharsets.UTF_8);
		byte[] head = (body.length + "\n").getBytes(StandardCharsets.UTF_8);
		ByteBuffer out = ByteBuffer.allocate(head.length + body.length).put(head).put(body).flip();
		try {
			synchronized (channel) {
				while (out.hasRemaining())
					channel.write(out);
			}
		} catch (IOException e) {
			Runtime.getRuntime().halt(1);
		}
	}

	/* The answer is made into text here, so that what is wrong with it becomes an answer too. */
	private void answer(IFn handle, Object request) {
		try {
			send(handle.invoke(request));
		} catch (Throwable e) {
			Object id = RT.nth(request, 1, null);
			send(PersistentVector.create(RT.keyword(null, "answer"), id, RT.keyword(null, "status"),
					RT.keyword(null, "failed"), RT.keyword(null, "broken"), e.toString()));
		}
	}

	/* System.exit in user code: who did it is told before the process ends. */
	private void exiting(IFn report) {
		Iterable<?> answers = (Iterable<?>) report.invoke();
		if (answers != null)
			for (Object a : answers)
				send(a);
	}

	/* All that a worker needs before it can answer. The first expansion of a macro in a process loads the specs that
	 * macros are checked with: here, so that it is no part of a compile. */
	private static IFn ready() {
		RT.var("clojure.core", "require").invoke(Symbol.intern("tenon.worker"));
		RT.var("clojure.core", "macroexpand-1").invoke(RT.readString("(clojure.core/let [])"));
		Shapes.learn();
		return RT.var("tenon.worker", "handle");
	}

	private void serve() throws IOException {
		IFn handle = ready();
		IFn report = RT.var("tenon.worker", "exit-answers");
		Runtime.getRuntime().addShutdownHook(new Thread(() -> exiting(report)));
		String token = System.getenv("TENON_TOKEN");
		send(PersistentVector.create(RT.keyword(null, "hello"), token == null ? "" : token, ProcessHandle.current().pid()));
		for (;;) {
			Object request = Sexp.read(receive());
			Thread t = new Thread(null, () -> answer(handle, request), "request", STACK);
			/* A thread that user code leaves behind must not hinder the end; this one may not either. */
			t.setDaemon(true);
			t.start();
		}
	}

	/* A session, and a compile: a source into a folder. */
	private static void practise(IFn handle, String source, String out) {
		for (String request : new String[] {"(:session 1 :class-path () :roots () :project () :preload ())",
				"(:compile 2 :namespaces (\"practice\") :sources ((\"practice.clj\" \"" + source + "\")) :closure () :out \""
						+ out + "\")"})
			Sexp.write(handle.invoke(Sexp.read(request)), new StringBuilder());
	}

	/**
	 * With no socket named: gets ready, compiles args[0] into args[1] and ends, so that an archive of the classes for this
	 * can be made.
	 */
	public static void main(String[] args) {
		Output.install();
		String socket = System.getenv("TENON_SOCKET");
		try {
			if (socket == null) {
				practise(ready(), args[0], args[1]);
				return;
			}
			SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
			channel.connect(UnixDomainSocketAddress.of(socket));
			instance = new Main(channel);
			instance.serve();
		} catch (EOFException e) {
			Runtime.getRuntime().halt(0);
		} catch (Throwable e) {
			e.printStackTrace(Output.REAL);
			Runtime.getRuntime().halt(1);
		}
	}
}
