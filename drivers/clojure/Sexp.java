package tenon;

import clojure.lang.Keyword;
import clojure.lang.PersistentVector;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Messages as Clojure data: lists as vectors, plists inside answers as maps; nil, t, integers, strings, keywords. */
final class Sexp {
	private final String text;
	private int at;

	private Sexp(String text) {
		this.text = text;
	}

	static Object read(String text) {
		return new Sexp(text).form();
	}

	private char peek() {
		while (at < text.length() && Character.isWhitespace(text.charAt(at)))
			at++;
		if (at == text.length())
			throw new IllegalArgumentException("a message ends early");
		return text.charAt(at);
	}

	private Object form() {
		char c = peek();
		if (c == '"')
			return string();
		if (c != '(')
			return atom();
		at++;
		List<Object> items = new ArrayList<>();
		while (peek() != ')')
			items.add(form());
		at++;
		return PersistentVector.create(items);
	}

	private String string() {
		StringBuilder b = new StringBuilder();
		for (at++; at < text.length(); at++) {
			char c = text.charAt(at);
			if (c == '"') {
				at++;
				return b.toString();
			}
			if (c == '\\')
				c = text.charAt(++at);
			b.append(c);
		}
		throw new IllegalArgumentException("a string does not end");
	}

	private Object atom() {
		int from = at;
		while (at < text.length() && " \n\t\r()\"".indexOf(text.charAt(at)) < 0)
			at++;
		String s = text.substring(from, at);
		if (s.equals("nil"))
			return null;
		if (s.equals("t"))
			return Boolean.TRUE;
		if (s.startsWith(":"))
			return Keyword.intern(s.substring(1));
		return Long.valueOf(s);
	}

	static void write(Object o, StringBuilder out) {
		if (o == null || Boolean.FALSE.equals(o)) {
			out.append("nil");
		} else if (Boolean.TRUE.equals(o)) {
			out.append("t");
		} else if (o instanceof Number) {
			out.append(((Number) o).longValue());
		} else if (o instanceof Keyword) {
			out.append(':').append(((Keyword) o).getName());
		} else if (o instanceof Map) {
			String space = "(";
			for (Map.Entry<?, ?> e : ((Map<?, ?>) o).entrySet()) {
				out.append(space);
				write(e.getKey(), out);
				out.append(' ');
				write(e.getValue(), out);
				space = " ";
			}
			out.append(space.equals("(") ? "nil" : ")");
		} else if (o instanceof Iterable) {
			String space = "(";
			for (Object item : (Iterable<?>) o) {
				out.append(space);
				write(item, out);
				space = " ";
			}
			out.append(space.equals("(") ? "()" : ")");
		} else {
			string(o.toString(), out);
		}
	}

	private static void string(String s, StringBuilder out) {
		out.append('"');
		for (int i = 0; i < s.length(); i++) {
			char c = s.charAt(i);
			if (c == '"' || c == '\\')
				out.append('\\');
			/* What no UTF-8 can hold. */
			boolean paired = Character.isHighSurrogate(c) && i + 1 < s.length()
					&& Character.isLowSurrogate(s.charAt(i + 1));
			if (paired)
				out.append(c).append(s.charAt(++i));
			else
				out.append(Character.isSurrogate(c) ? '\ufffd' : c);
		}
		out.append('"');
	}
}
