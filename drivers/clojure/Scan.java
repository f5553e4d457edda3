package tenon;

import clojure.asm.ClassReader;
import clojure.asm.ClassVisitor;
import clojure.asm.MethodVisitor;
import clojure.asm.Opcodes;
import java.util.Set;
import java.util.TreeSet;

/** What a class file names: vars that it looks up when it is loaded, and other classes. */
public final class Scan {
	/** "namespace/name", and class names with dots. */
	public final Set<String> vars = new TreeSet<>(), classes = new TreeSet<>();

	public void add(byte[] bytes) {
		ClassReader in = new ClassReader(bytes);
		classes(in);
		in.accept(new ClassVisitor(Patch.API) {
			@Override
			public MethodVisitor visitMethod(int access, String name, String signature, String generic, String[] thrown) {
				return new Vars();
			}
		}, ClassReader.SKIP_DEBUG | ClassReader.SKIP_FRAMES);
	}

	/* The entries CONSTANT_Class of the constant pool (JVM specification, 4.4.1). */
	private void classes(ClassReader in) {
		char[] room = new char[in.getMaxStringLength()];
		for (int i = 1; i < in.getItemCount(); i++) {
			int at = in.getItem(i);
			if (at == 0 || in.b[at - 1] != 7)
				continue;
			String name = in.readUTF8(at, room);
			if (name.startsWith("[")) {
				int element = name.indexOf('L');
				if (element < 0)
					continue;
				name = name.substring(element + 1, name.length() - 1);
			}
			classes.add(name.replace('/', '.'));
		}
	}

	/* The last two string constants before a call of RT.var are namespace and name. */
	private final class Vars extends MethodVisitor {
		private String before, last;

		Vars() {
			super(Patch.API);
		}

		@Override
		public void visitLdcInsn(Object constant) {
			before = last;
			last = constant instanceof String ? (String) constant : null;
		}

		private void call(int opcode, String owner, String name, String signature) {
			if (opcode == Opcodes.INVOKESTATIC && owner.equals("clojure/lang/RT") && name.equals("var")
					&& signature.startsWith("(Ljava/lang/String;Ljava/lang/String;)") && before != null && last != null)
				vars.add(before + "/" + last);
		}

		@Override
		@SuppressWarnings("deprecation")
		public void visitMethodInsn(int opcode, String owner, String name, String signature) {
			call(opcode, owner, name, signature);
		}

		/* No @Override: absent where Clojure's ASM is older than 5. */
		public void visitMethodInsn(int opcode, String owner, String name, String signature, boolean isInterface) {
			call(opcode, owner, name, signature);
		}
	}
}
