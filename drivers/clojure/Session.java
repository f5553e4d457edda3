package tenon;

import clojure.lang.DynamicClassLoader;
import java.io.File;
import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Enumeration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;

/**
 * One runtime's view of the disk: jars and folders that all see, and the folders of classes that belong to namespaces.
 * Every class has one definition, here or in memory; what a request may see of them, its {@link View} says.
 */
public final class Session extends DynamicClassLoader {
	private static final int WRITERS = 2;
	/* Methods of RT that look for a source to load it (Patch.UNCLAIMED is its old load). */
	private static final Set<String> LOADING = Set.of(Patch.UNCLAIMED, "compile", "loadResourceScript");

	/** A file that belongs to a namespace. */
	private static final class Owned {
		final String namespace;
		final Path path;
		/* Not null where it may not be written yet. */
		final byte[] bytes;

		Owned(String namespace, Path path, byte[] bytes) {
			this.namespace = namespace;
			this.path = path;
			this.bytes = bytes;
		}
	}

	private static final ExecutorService writers = Executors.newFixedThreadPool(WRITERS, work -> {
		Thread t = new Thread(work, "write");
		t.setDaemon(true);
		return t;
	});

	private final Map<String, Owned> owned = new ConcurrentHashMap<>();
	private final Map<String, String> folders = new ConcurrentHashMap<>();
	/* Classes of others, compiled in this process: file name to content. */
	private final Map<String, byte[]> library = new ConcurrentHashMap<>();
	private final List<Path> roots = new ArrayList<>();

	/**
	 * @param classPath jars and folders, none of which holds sources of the project
	 * @param roots folders of the project's sources: only what is no Clojure source is visible in them
	 */
	public Session(Iterable<String> classPath, Iterable<String> roots) throws MalformedURLException {
		super(Session.class.getClassLoader());
		for (String p : classPath)
			addURL(new File(p).toURI().toURL());
		for (String r : roots)
			this.roots.add(Path.of(r));
	}

	/** All files below `folder` belong to `namespace` from now on. */
	public void add(String namespace, String folder) throws IOException {
		if (folder.equals(folders.put(namespace, folder)))
			return;
		Path top = Path.of(folder);
		if (!Files.isDirectory(top))
			throw new IOException("the folder of classes of namespace \"" + namespace + "\" is missing: " + folder);
		try (Stream<Path> all = Files.walk(top)) {
			all.filter(Files::isRegularFile)
					.forEach(p -> owned.put(top.relativize(p).toString(), new Owned(namespace, p, null)));
		}
	}

	/** The namespace whose compile made this class; null if none of the project's did. */
	public String owner(String className) {
		Owned o = owned.get(className.replace('.', '/') + ".class");
		return o == null ? null : o.namespace;
	}

	private static final ThreadLocal<Written> writes = new ThreadLocal<>();

	/** What this thread's compile of a library writes. */
	private static final class Written {
		final Session session;
		final Map<String, byte[]> files = new TreeMap<>();

		Written(Session session) {
			this.session = session;
		}
	}

	/** The classes that this thread compiles are kept in memory from now on, and seen by all. */
	public void keepClasses() {
		writes.set(new Written(this));
	}

	/** Ends that. @return the classes, if they are to stay */
	public Map<String, byte[]> keptClasses(boolean stay) {
		Written w = writes.get();
		writes.remove();
		if (!stay)
			library.keySet().removeAll(w.files.keySet());
		return w.files;
	}

	/* Whose compile this thread is at. */
	private static final ThreadLocal<View> compiling = new ThreadLocal<>();

	/**
	 * Stands at the beginning of Compiler.writeClassFile: true if that is all there is to do. The compiler would make all
	 * folders above each class again.
	 */
	public static boolean keep(String name, byte[] bytes) throws IOException {
		View view = compiling.get();
		if (view != null) {
			view.write(name + ".class", bytes);
			return true;
		}
		Written w = writes.get();
		if (w == null)
			return false;
		w.files.put(name + ".class", bytes);
		w.session.library.put(name + ".class", bytes);
		return true;
	}

	@Override
	protected Class<?> findClass(String name) throws ClassNotFoundException {
		String file = name.replace('.', '/') + ".class";
		Owned o = owned.get(file);
		if (o == null) {
			byte[] kept = library.get(file);
			return kept == null ? super.findClass(name) : defineClass(name, kept, 0, kept.length);
		}
		byte[] bytes;
		try {
			bytes = o.bytes != null ? o.bytes : Files.readAllBytes(o.path);
		} catch (IOException e) {
			throw new ClassNotFoundException(name, e);
		}
		/* Not DynamicClassLoader's way, which would put it before what is compiled later. */
		return defineClass(name, bytes, 0, bytes.length);
	}

	private static URL url(Path p) {
		try {
			return p.toUri().toURL();
		} catch (MalformedURLException e) {
			throw new IllegalArgumentException(e);
		}
	}

	@Override
	public URL findResource(String name) {
		Owned o = owned.get(name);
		if (o != null)
			return url(o.path);
		return super.findResource(name);
	}

	/** What one request sees. */
	public final class View extends ClassLoader {
		private final String namespace;
		private final Path out;
		private final Map<String, Path> sources = new HashMap<>();
		private final Set<String> closure = new HashSet<>();
		/** The classes that were written, by file name. */
		public final Map<String, byte[]> made = new ConcurrentSkipListMap<>();
		private final Queue<Future<Path>> writing = new ConcurrentLinkedQueue<>();
		private final Set<Path> foldersMade = ConcurrentHashMap.newKeySet();
		/** Resources that were found, and project sources that were asked for and are hidden. */
		public final Set<String> found = Collections.newSetFromMap(new ConcurrentHashMap<>()),
				hidden = Collections.newSetFromMap(new ConcurrentHashMap<>());

		/**
		 * @param namespace whose classes appear in `out`, both null if nothing is compiled
		 * @param sources resource name to path: the only Clojure sources of the project that are visible
		 * @param closure namespaces whose classes are visible; null: all
		 */
		public View(String namespace, String out, Map<String, String> sources, Iterable<String> closure) {
			super(Session.this);
			this.namespace = namespace;
			this.out = out == null ? null : Path.of(out);
			sources.forEach((name, path) -> this.sources.put(name, Path.of(path)));
			for (String ns : closure)
				this.closure.add(ns);
		}

		private boolean sees(String ns) {
			return ns.equals(namespace) || closure.contains(ns);
		}

		/** What this thread compiles from now on, and until it is told no, is written to `out`. */
		public void compiles(boolean yes) {
			if (yes)
				compiling.set(this);
			else
				compiling.remove();
		}

		/* Making a file takes long where many were removed of late, and the compile need not wait for it. */
		private void write(String file, byte[] bytes) throws IOException {
			Path path = out.resolve(file);
			if (foldersMade.add(path.getParent()))
				Files.createDirectories(path.getParent());
			made.put(file, bytes);
			writing.add(writers.submit(() -> Files.write(path, bytes)));
		}

		/** Waits until what was compiled is written. */
		public void finish() throws IOException {
			for (Future<Path> f = writing.poll(); f != null; f = writing.poll())
				try {
					f.get();
				} catch (ExecutionException e) {
					throw new IOException(e.getCause());
				} catch (InterruptedException e) {
					throw new IOException(e);
				}
		}

		/* gen-class writes a class that only its own file holds. */
		private void noticeOwn(String file) {
			byte[] bytes = made.get(file);
			if (bytes != null && !owned.containsKey(file))
				owned.put(file, new Owned(namespace, out.resolve(file), bytes));
		}

		@Override
		protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
			String file = name.replace('.', '/') + ".class";
			noticeOwn(file);
			Owned o = owned.get(file);
			if (o != null ? !sees(o.namespace) : isReplaced(file))
				throw new ClassNotFoundException(name);
			return Session.this.loadClass(name);
		}

		/* A library's classes of a namespace whose source is here: the source counts, whatever the times say. */
		private boolean isReplaced(String name) {
			if (!name.endsWith("__init.class"))
				return false;
			String stem = name.substring(0, name.length() - "__init.class".length());
			return sources.containsKey(stem + ".clj") || sources.containsKey(stem + ".cljc");
		}

		private boolean isSource(String name) {
			return (name.endsWith(".clj") || name.endsWith(".cljc")) && !name.startsWith("data_readers.clj");
		}

		@Override
		public URL getResource(String name) {
			Path own = sources.get(name);
			if (own != null) {
				/* Who reads it as data sees its comments as well. */
				if (!isLoading())
					found.add(name);
				return url(own);
			}
			if (name.equals("user.clj") || name.equals("user.cljc"))
				return null;
			Owned o = owned.get(name);
			if (o != null)
				return sees(o.namespace) ? url(o.path) : null;
			if (isReplaced(name))
				return null;
			for (Path r : roots) {
				Path p = r.resolve(name);
				if (!Files.isRegularFile(p))
					continue;
				if (isSource(name)) {
					hidden.add(name);
					continue;
				}
				note(name);
				return url(p);
			}
			URL u = Session.this.getResource(name);
			if (u != null)
				note(name);
			return u;
		}

		/* Is it RT that asks, in order to load or compile? */
		private boolean isLoading() {
			return StackWalker.getInstance().walk(frames -> frames
					.dropWhile(f -> f.getClassName().startsWith("tenon.Session$") || f.getClassName().equals("java.lang.ClassLoader"))
					.takeWhile(f -> f.getClassName().equals("clojure.lang.RT"))
					.anyMatch(f -> LOADING.contains(f.getMethodName())));
		}

		/* Reading data is an input of what is compiled; loading code is known from the closure. */
		private void note(String name) {
			if (!name.endsWith(".class") && !isSource(name))
				found.add(name);
		}

		@Override
		public Enumeration<URL> getResources(String name) throws IOException {
			List<URL> all = new ArrayList<>();
			URL first = getResource(name);
			if (first != null)
				all.add(first);
			if (!owned.containsKey(name) && !isHidden(name))
				for (URL u : Collections.list(Session.this.getResources(name)))
					if (!all.contains(u))
						all.add(u);
			return Collections.enumeration(all);
		}

		private boolean isHidden(String name) {
			return name.equals("user.clj") || hidden.contains(name);
		}
	}
}
