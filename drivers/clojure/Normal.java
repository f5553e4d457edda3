package tenon;

import clojure.asm.ClassReader;
import clojure.asm.ClassVisitor;
import clojure.asm.ClassWriter;
import clojure.asm.MethodVisitor;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;

/**
 * Class files whose methods stand in one order. Clojure takes the methods that proxies, gen-class, reify and deftype
 * inherit from reflection and from hash tables of classes: their order is another in each process.
 */
public final class Normal {
	/* Functions have the methods that the compiler writes itself. */
	private static final Set<String> FUNCTIONS =
			Set.of("clojure/lang/AFunction", "clojure/lang/RestFn", "clojure/lang/AFn");

	private Normal() {}

	/** Stands at the beginning of Compiler.writeClassFile. */
	public static byte[] of(byte[] bytes) {
		ClassReader in = new ClassReader(bytes);
		if (FUNCTIONS.contains(in.getSuperName()) || in.getClassName().endsWith("__init"))
			return bytes;
		List<String> methods = methods(in), sorted = new ArrayList<>(methods);
		Collections.sort(sorted);
		if (sorted.equals(methods))
			return bytes;
		ClassWriter out = new ClassWriter(0);
		in.accept(new ClassVisitor(Patch.API, out) {
			@Override
			public MethodVisitor visitMethod(int access, String name, String signature, String generic, String[] thrown) {
				return null;
			}

			@Override
			public void visitEnd() {}
		}, 0);
		for (String method : sorted)
			in.accept(new ClassVisitor(Patch.API) {
				@Override
				public MethodVisitor visitMethod(int access, String name, String signature, String generic,
						String[] thrown) {
					return method.equals(name + signature) ? out.visitMethod(access, name, signature, generic, thrown)
							: null;
				}
			}, 0);
		out.visitEnd();
		return out.toByteArray();
	}

	private static List<String> methods(ClassReader in) {
		List<String> all = new ArrayList<>();
		in.accept(new ClassVisitor(Patch.API) {
			@Override
			public MethodVisitor visitMethod(int access, String name, String signature, String generic, String[] thrown) {
				all.add(name + signature);
				return null;
			}
		}, ClassReader.SKIP_CODE);
		return all;
	}
}
