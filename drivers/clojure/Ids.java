package tenon;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.CRC32;

/**
 * The numbers that Clojure puts into generated names, in place of RT's one counter for the whole process. Each script
 * counts for itself while it is loaded or compiled, from a number made of its name: so its classes, and the symbols that
 * its macros put into others' code, are named alike whatever was loaded before, and those of two scripts do not meet.
 * The reader has a count of its own: the compiler takes more numbers when it writes classes than when it does not, and
 * what a macro's text says must not depend on that.
 */
public final class Ids {
	private static final AtomicInteger shared = new AtomicInteger(1);
	/* The innermost script's counter is the first. */
	private static final ThreadLocal<ArrayDeque<int[]>> counters = ThreadLocal.withInitial(ArrayDeque::new);

	private Ids() {}

	private static int next(int which) {
		int[] counter = counters.get().peek();
		return counter == null ? shared.getAndIncrement() : counter[which]++;
	}

	/** Stands for clojure.lang.RT.nextID. */
	public static int next() {
		return next(0);
	}

	/** The same, called by the reader. */
	public static int nextRead() {
		return next(1);
	}

	/** This thread begins with a script, "a/b". */
	static void enter(String script) {
		CRC32 crc = new CRC32();
		crc.update(script.getBytes(StandardCharsets.UTF_8));
		/* Room for 2^30 numbers above the seed. */
		int seed = (int) (crc.getValue() & 0x3fffffff) + 1;
		counters.get().push(new int[] {seed, seed});
	}

	/** The end of what enter() began. */
	static void leave() {
		counters.get().pop();
	}
}
