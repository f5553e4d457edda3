package tenon;

import clojure.lang.Compiler;
import clojure.lang.ISeq;
import clojure.lang.Namespace;
import clojure.lang.PersistentHashMap;
import clojure.lang.PersistentVector;
import clojure.lang.RT;
import clojure.lang.Symbol;
import clojure.lang.Var;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.IdentityHashMap;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * What one compile makes of others: told by the compiler through the calls that {@link Patch} puts into it. Nothing is
 * recorded on threads that do not compile for a request.
 */
public final class Uses {
	private static final ThreadLocal<Uses> current = new ThreadLocal<>();

	/** Names as "namespace/name", classes as they are called. */
	public final Set<String> vars = new TreeSet<>(), macros = new TreeSet<>(), inlines = new TreeSet<>(),
			classes = new TreeSet<>();
	private final Set<String> scripts;
	private final boolean library;

	/**
	 * @param scripts the sources that are compiled, as resources: "a/b.clj"
	 * @param library whether a script without a namespace of its own, which nobody has declared, is compiled with them
	 */
	public Uses(Set<String> scripts, boolean library) {
		this.scripts = scripts;
		this.library = library;
	}

	private static final Pattern PART = Pattern.compile("(?:\\s|,|;[^\n]*\n)*\\(\\s*(?:clojure\\.core/)?in-ns\\s.*", Pattern.DOTALL);

	private boolean isPart(String script) throws IOException {
		if (!library)
			return false;
		try (InputStream in = RT.baseLoader().getResourceAsStream(script)) {
			return in != null && PART.matcher(new String(in.readAllBytes(), StandardCharsets.UTF_8)).matches();
		}
	}

	public static void record(Uses uses) {
		if (uses == null)
			current.remove();
		else
			current.set(uses);
	}

	private static String name(Var v) {
		return v.ns == null ? null : v.ns.getName() + "/" + v.sym.getName();
	}

	private static void add(Set<String> set, Var v) {
		String name = name(v);
		if (name != null)
			set.add(name);
	}

	/** The compiler found out what a symbol stands for. */
	public static void resolved(Object o) {
		Uses u = current.get();
		if (u == null)
			return;
		if (o instanceof Var)
			add(u.vars, (Var) o);
		else if (o instanceof Class)
			u.classes.add(((Class<?>) o).getName());
	}

	public static void var(Var v) {
		Uses u = current.get();
		if (u != null)
			add(u.vars, v);
	}

	/** Compiler.isMacro answered; null means no. */
	public static void macro(Object v) {
		Uses u = current.get();
		if (u != null && v instanceof Var)
			add(u.macros, (Var) v);
	}

	/** Compiler.isInline answered for this head of a form; null means no. */
	public static void inline(Object head, Object expander) {
		Uses u = current.get();
		if (u == null || expander == null)
			return;
		Object o = head instanceof Symbol
				? Compiler.maybeResolveIn((Namespace) RT.CURRENT_NS.deref(), (Symbol) head) : head;
		if (o instanceof Var)
			add(u.inlines, (Var) o);
	}

	private static final ThreadLocal<Boolean> trusting = new ThreadLocal<>();

	/** This thread reads the code of libraries from now on. */
	public static void trust(boolean yes) {
		if (yes)
			trusting.set(Boolean.TRUE);
		else
			trusting.remove();
	}

	/**
	 * Stands at the beginning of Compiler.checkSpecs, which takes a sixth of a compile: true if the uses of a macro need
	 * not be checked against its spec. Libraries were once compiled by their authors; what they say in `ns` forms, which
	 * Clojure became stricter with, is checked nevertheless.
	 */
	public static boolean trusts(Var macro, ISeq form) {
		return trusting.get() != null && !macro.sym.getName().equals("ns") || Shapes.fits(macro, form);
	}

	/**
	 * RT.compile was called for a source. One that is not the request's own is only loaded: its classes belong to its
	 * own compile, and its constants are none of this one's. True if that was done.
	 */
	public static boolean foreign(String script) throws IOException {
		Uses u = current.get();
		if (u == null || u.scripts.contains(script) || u.isPart(script))
			return false;
		boolean trusted = trusting.get() != null;
		current.remove();
		trust(true);
		Var.pushThreadBindings(RT.mapUniqueKeys(RT.var("clojure.core", "*compile-files*"), Boolean.FALSE,
				Compiler.CONSTANTS, PersistentVector.EMPTY, Compiler.CONSTANT_IDS, new IdentityHashMap<>(),
				Compiler.KEYWORDS, PersistentHashMap.EMPTY, Compiler.VARS, PersistentHashMap.EMPTY));
		try {
			RT.loadResourceScript(RT.class, script);
		} finally {
			Var.popThreadBindings();
			current.set(u);
			trust(trusted);
		}
		return true;
	}
}
