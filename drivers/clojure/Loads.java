package tenon;

import java.util.HashMap;
import java.util.Map;
import java.util.Objects;

/**
 * Which thread loads which source. Clojure's require knows nothing of threads: two that want the same namespace would
 * both load it, and its protocols would exist twice. RT.load asks here ({@link Patch}).
 */
public final class Loads {
	private static final class Load {
		final Thread thread;
		int depth = 1;

		Load(Thread thread) {
			this.thread = thread;
		}
	}

	/* All guarded by the class. */
	private static final Map<String, Load> running = new HashMap<>();
	private static final Map<Thread, String> waiting = new HashMap<>();
	private static final Map<String, Integer> finished = new HashMap<>();

	private Loads() {}

	/**
	 * The thread wants to load a script, "a/b". Waits while another one does.
	 *
	 * @return false: the other has loaded it
	 */
	public static boolean claim(String script) {
		if (!mine(script))
			return false;
		Ids.enter(script);
		return true;
	}

	private static synchronized boolean mine(String script) {
		Thread me = Thread.currentThread();
		Integer before = finished.get(script);
		Load load = running.get(script);
		if (load != null && load.thread == me) {
			load.depth++;
			return true;
		}
		while (load != null && !waitsFor(load.thread, me)) {
			waiting.put(me, script);
			try {
				Loads.class.wait();
			} catch (InterruptedException e) {
				me.interrupt();
				break;
			} finally {
				waiting.remove(me);
			}
			load = running.get(script);
		}
		if (!Objects.equals(finished.get(script), before))
			return false;
		/* Namespaces that need each other: Clojure has its own word for that. */
		if (load == null)
			running.put(script, new Load(me));
		return true;
	}

	private static boolean waitsFor(Thread t, Thread me) {
		for (String script = waiting.get(t); script != null; script = waiting.get(t)) {
			Load load = running.get(script);
			if (load == null)
				return false;
			t = load.thread;
			if (t == me)
				return true;
		}
		return false;
	}

	/** The end of what claim() allowed. */
	public static void release(String script, boolean loaded) {
		Ids.leave();
		drop(script, loaded);
	}

	private static synchronized void drop(String script, boolean loaded) {
		Load load = running.get(script);
		if (load == null || load.thread != Thread.currentThread() || --load.depth > 0)
			return;
		running.remove(script);
		if (loaded)
			finished.merge(script, 1, Integer::sum);
		Loads.class.notifyAll();
	}
}
