package tenon;

import clojure.lang.IDeref;
import clojure.lang.IPersistentMap;
import clojure.lang.IPersistentVector;
import clojure.lang.ISeq;
import clojure.lang.Keyword;
import clojure.lang.RT;
import clojure.lang.Sequential;
import clojure.lang.Symbol;
import clojure.lang.Var;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.function.Predicate;

/**
 * Uses of Clojure's own macros that are right at sight. Clojure checks each use of `let`, `fn`, `defn` and their like
 * against a spec, which takes a sixth of a compile. What is accepted here the specs of all versions accept; all else,
 * and all that is wrong, is left to them.
 */
public final class Shapes {
	/** A macro of which uses are known at sight. */
	private static final class Known {
		final Object name, spec;
		final Predicate<ISeq> fits;

		Known(Object name, Object spec, Predicate<ISeq> fits) {
			this.name = name;
			this.spec = spec;
			this.fits = fits;
		}
	}

	/* Written once, before the first request; empty where Clojure has no specs. */
	private static volatile Map<Var, Known> known = Map.of();
	private static volatile IDeref registry;

	private Shapes() {}

	/** The specs of macros are loaded: whoever replaces one of them has it asked. */
	public static void learn() {
		Var v = RT.var("clojure.spec.alpha", "registry-ref");
		if (!v.isBound() || !(v.deref() instanceof IDeref))
			return;
		registry = (IDeref) v.deref();
		Map<Var, Known> all = new IdentityHashMap<>();
		add(all, "let", args -> args != null && isBindings(args.first()));
		add(all, "if-let", args -> args != null && isBinding(args.first()) && (RT.count(args) == 2 || RT.count(args) == 3));
		add(all, "when-let", args -> args != null && isBinding(args.first()));
		add(all, "fn", Shapes::isFn);
		add(all, "defn", Shapes::isDefn);
		add(all, "defn-", Shapes::isDefn);
		known = all;
	}

	private static void add(Map<Var, Known> all, String macro, Predicate<ISeq> fits) {
		Symbol name = Symbol.intern("clojure.core", macro);
		Object spec = RT.get(registry.deref(), name);
		if (spec != null)
			all.put(RT.var("clojure.core", macro), new Known(name, spec, fits));
	}

	/** Is this use of a macro, with its name first, sure to conform to its spec? */
	public static boolean fits(Var macro, ISeq form) {
		Known k = known.get(macro);
		return k != null && RT.get(registry.deref(), k.name) == k.spec && k.fits.test(form.next());
	}

	/* (NAME? PARAMETERS FORM...) or (NAME? (PARAMETERS FORM...)...) */
	private static boolean isFn(ISeq args) {
		return args != null && isTail(isSimple(args.first()) ? args.next() : args, false);
	}

	/* NAME STRING? MAP? and as in fn, with another MAP after arities in parentheses */
	private static boolean isDefn(ISeq args) {
		if (args == null || !isSimple(args.first()))
			return false;
		args = args.next();
		if (args != null && args.first() instanceof String)
			args = args.next();
		if (args != null && args.first() instanceof IPersistentMap)
			args = args.next();
		return isTail(args, true);
	}

	private static boolean isTail(ISeq args, boolean withMap) {
		if (args == null)
			return false;
		if (args.first() instanceof IPersistentVector)
			return isParameters(args.first());
		if (!isArity(args.first()))
			return false;
		while (args != null && isArity(args.first()))
			args = args.next();
		return args == null || withMap && args.first() instanceof IPersistentMap && args.next() == null;
	}

	private static boolean isArity(Object o) {
		return o instanceof ISeq && o instanceof Sequential && isParameters(((ISeq) o).first());
	}

	/* -- bindings -- */

	private static boolean isSimple(Object o) {
		return o instanceof Symbol && ((Symbol) o).getNamespace() == null;
	}

	private static boolean isAmpersand(Object o) {
		return isSimple(o) && ((Symbol) o).getName().equals("&");
	}

	private static boolean isLocal(Object o) {
		return isSimple(o) && !isAmpersand(o);
	}

	private static boolean isForm(Object o) {
		if (o instanceof IPersistentVector)
			return isSequence(o, true);
		return isLocal(o) || o instanceof IPersistentMap && isMap((IPersistentMap) o);
	}

	private static boolean isBindings(Object o) {
		if (!(o instanceof IPersistentVector))
			return false;
		IPersistentVector v = (IPersistentVector) o;
		int n = v.count();
		for (int i = 0; i < n; i += 2)
			if (!isForm(v.nth(i)))
				return false;
		return n % 2 == 0;
	}

	/* One binding alone. */
	private static boolean isBinding(Object o) {
		return o instanceof IPersistentVector && ((IPersistentVector) o).count() == 2 && isBindings(o);
	}

	private static boolean isParameters(Object o) {
		return o instanceof IPersistentVector && isSequence(o, false);
	}

	/* FORM... & FORM, and :as NAME where that is allowed */
	private static boolean isSequence(Object o, boolean withAs) {
		IPersistentVector v = (IPersistentVector) o;
		int i = 0, n = v.count();
		while (i < n && isForm(v.nth(i)))
			i++;
		if (i + 1 < n && isAmpersand(v.nth(i)) && isForm(v.nth(i + 1)))
			i += 2;
		if (withAs && i + 1 < n && isKeyword(v.nth(i), "as") && isLocal(v.nth(i + 1)))
			i += 2;
		return i == n;
	}

	private static boolean isKeyword(Object o, String name) {
		return o instanceof Keyword && ((Keyword) o).getNamespace() == null && ((Keyword) o).getName().equals(name);
	}

	private static boolean isMap(IPersistentMap m) {
		for (Object o : m) {
			Map.Entry<?, ?> e = (Map.Entry<?, ?>) o;
			if (!(e.getKey() instanceof Keyword ? isSpecial(e.getKey(), e.getValue()) : isForm(e.getKey())))
				return false;
		}
		return true;
	}

	/* :keys and :as; the others are seldom. */
	private static boolean isSpecial(Object key, Object value) {
		if (isKeyword(key, "as"))
			return isLocal(value);
		if (isKeyword(key, "or"))
			return value instanceof IPersistentMap && all(RT.keys(value), Shapes::isSimple);
		return isKeyword(key, "keys") && value instanceof IPersistentVector
				&& all(RT.seq(value), o -> o instanceof Symbol || o instanceof Keyword);
	}

	private static boolean all(ISeq items, Predicate<Object> test) {
		for (; items != null; items = items.next())
			if (!test.test(items.first()))
				return false;
		return true;
	}
}
