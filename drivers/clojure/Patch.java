package tenon;

import clojure.asm.ClassReader;
import clojure.asm.ClassVisitor;
import clojure.asm.ClassWriter;
import clojure.asm.Label;
import clojure.asm.MethodVisitor;
import clojure.asm.Opcodes;
import java.io.BufferedOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/**
 * Makes the worker's jar: Clojure's jars and this driver in one, with a few methods of the compiler changed.
 *
 * <p>RT.nextID counts per script, and apart for the reader ({@link Ids}). LocalBinding has a hash code of its own, its
 * index, since the order of closed-over fields follows from it; classes and patterns in hashed literals count by their
 * text, not by identity. RT.lastModified calls every class later than every source: what is on the class path was chosen
 * by content, not by time. RT.load is left to one thread for each script ({@link Loads}). RT.compile leaves sources of
 * others to {@link Uses#foreign}; isMacro, isInline, resolveIn and registerVar tell {@link Uses} what they found.
 * Compiler.checkSpecs passes over what libraries write and what is right at sight
 * ({@link Shapes}). Compiler.writeClassFile puts methods in order ({@link Normal}) and leaves the classes of libraries to
 * {@link Session#keep}.
 */
public final class Patch {
	private static final String RT = "clojure/lang/RT", COMPILER = "clojure/lang/Compiler", UTIL = "clojure/lang/Util",
			READER = "clojure/lang/LispReader";

	private static int api() {
		/* The copy of ASM in Clojure's jar is of different age. */
		for (String name : new String[] {"ASM9", "ASM8", "ASM7", "ASM6", "ASM5"})
			try {
				return Opcodes.class.getField(name).getInt(null);
			} catch (ReflectiveOperationException e) {
				continue;
			}
		return Opcodes.ASM4;
	}

	static final int API = api();

	/* The form without a flag for interfaces is the one that all versions have. */
	@SuppressWarnings("deprecation")
	private static void call(MethodVisitor mv, String owner, String name, String signature) {
		mv.visitMethodInsn(Opcodes.INVOKESTATIC, owner, name, signature);
	}

	/** Tells how a method's code changes. */
	private interface Change {
		/** @return what visits the old code, null if all of it is replaced */
		MethodVisitor apply(MethodVisitor mv);
	}

	private static Change change(String owner, String name, String signature) {
		switch (owner + "." + name + signature) {
		case RT + ".nextID()I":
			return mv -> body(mv, m -> {
				call(m, "tenon/Ids", "next", "()I");
				m.visitInsn(Opcodes.IRETURN);
			});
		case RT + ".lastModified(Ljava/net/URL;Ljava/lang/String;)J":
			return mv -> body(mv, m -> {
				m.visitVarInsn(Opcodes.ALOAD, 1);
				call(m, "tenon/Patch", "age", "(Ljava/lang/String;)J");
				m.visitInsn(Opcodes.LRETURN);
			});
		case RT + ".compile(Ljava/lang/String;)V":
			return mv -> returnsIf(mv, m -> {
				m.visitVarInsn(Opcodes.ALOAD, 0);
				call(m, "tenon/Uses", "foreign", "(Ljava/lang/String;)Z");
			});
		case COMPILER + ".writeClassFile(Ljava/lang/String;[B)V":
			return mv -> returnsIf(mv, m -> {
				m.visitVarInsn(Opcodes.ALOAD, 1);
				call(m, "tenon/Normal", "of", "([B)[B");
				m.visitVarInsn(Opcodes.ASTORE, 1);
				m.visitVarInsn(Opcodes.ALOAD, 0);
				m.visitVarInsn(Opcodes.ALOAD, 1);
				call(m, "tenon/Session", "keep", "(Ljava/lang/String;[B)Z");
			});
		/* The tables of protocols are made with the one and searched with the other. */
		case UTIL + ".hash(Ljava/lang/Object;)I":
		case UTIL + ".hasheq(Ljava/lang/Object;)I":
			return mv -> new MethodVisitor(API, mv) {
				@Override
				public void visitCode() {
					super.visitCode();
					hashByText(this, "java/lang/Class", "getName");
					hashByText(this, "java/util/regex/Pattern", "toString");
				}
			};
		case COMPILER + ".isMacro(Ljava/lang/Object;)Lclojure/lang/Var;":
			return mv -> atReturn(mv, m -> {
				m.visitInsn(Opcodes.DUP);
				call(m, "tenon/Uses", "macro", "(Ljava/lang/Object;)V");
			});
		case COMPILER + ".isInline(Ljava/lang/Object;I)Lclojure/lang/IFn;":
			return mv -> atReturn(mv, m -> {
				m.visitInsn(Opcodes.DUP);
				m.visitVarInsn(Opcodes.ALOAD, 0);
				m.visitInsn(Opcodes.SWAP);
				call(m, "tenon/Uses", "inline", "(Ljava/lang/Object;Ljava/lang/Object;)V");
			});
		case COMPILER + ".resolveIn(Lclojure/lang/Namespace;Lclojure/lang/Symbol;Z)Ljava/lang/Object;":
			return mv -> atReturn(mv, m -> {
				m.visitInsn(Opcodes.DUP);
				call(m, "tenon/Uses", "resolved", "(Ljava/lang/Object;)V");
			});
		/* Not before 1.9. */
		case COMPILER + ".checkSpecs(Lclojure/lang/Var;Lclojure/lang/ISeq;)V":
			return mv -> returnsIf(mv, m -> {
				m.visitVarInsn(Opcodes.ALOAD, 0);
				m.visitVarInsn(Opcodes.ALOAD, 1);
				call(m, "tenon/Uses", "trusts", "(Lclojure/lang/Var;Lclojure/lang/ISeq;)Z");
			});
		case COMPILER + ".registerVar(Lclojure/lang/Var;)V":
			return mv -> new MethodVisitor(API, mv) {
				@Override
				public void visitCode() {
					super.visitCode();
					visitVarInsn(Opcodes.ALOAD, 0);
					call(this, "tenon/Uses", "var", "(Lclojure/lang/Var;)V");
				}
			};
		default:
			return null;
		}
	}

	/* Methods changed, LocalBinding, the reader. */
	private static final int CHANGES = 13;
	private static final String LOAD = "(Ljava/lang/String;Z)V";
	static final String UNCLAIMED = "loadUnclaimed";

	/* RT.load: if (!Loads.claim(script)) return; try { the old RT.load } finally { Loads.release(script, was it loaded) } */
	private static void load(MethodVisitor load) {
		Label claimed = new Label(), from = new Label(), to = new Label(), failed = new Label();
		body(load, m -> {
			m.visitTryCatchBlock(from, to, failed, null);
			m.visitVarInsn(Opcodes.ALOAD, 0);
			call(m, "tenon/Loads", "claim", "(Ljava/lang/String;)Z");
			m.visitJumpInsn(Opcodes.IFNE, claimed);
			m.visitInsn(Opcodes.RETURN);
			m.visitLabel(claimed);
			m.visitFrame(Opcodes.F_SAME, 0, null, 0, null);
			m.visitLabel(from);
			m.visitVarInsn(Opcodes.ALOAD, 0);
			m.visitVarInsn(Opcodes.ILOAD, 1);
			call(m, RT, UNCLAIMED, LOAD);
			m.visitLabel(to);
			m.visitVarInsn(Opcodes.ALOAD, 0);
			m.visitInsn(Opcodes.ICONST_1);
			call(m, "tenon/Loads", "release", LOAD);
			m.visitInsn(Opcodes.RETURN);
			m.visitLabel(failed);
			m.visitFrame(Opcodes.F_SAME1, 0, null, 1, new Object[] {"java/lang/Throwable"});
			m.visitVarInsn(Opcodes.ALOAD, 0);
			m.visitInsn(Opcodes.ICONST_0);
			call(m, "tenon/Loads", "release", LOAD);
			m.visitInsn(Opcodes.ATHROW);
		});
	}

	/* if (o instanceof OWNER) return o.TEXT().hashCode(); */
	@SuppressWarnings("deprecation")
	private static void hashByText(MethodVisitor mv, String owner, String text) {
		Label other = new Label();
		mv.visitVarInsn(Opcodes.ALOAD, 0);
		mv.visitTypeInsn(Opcodes.INSTANCEOF, owner);
		mv.visitJumpInsn(Opcodes.IFEQ, other);
		mv.visitVarInsn(Opcodes.ALOAD, 0);
		mv.visitTypeInsn(Opcodes.CHECKCAST, owner);
		mv.visitMethodInsn(Opcodes.INVOKEVIRTUAL, owner, text, "()Ljava/lang/String;");
		mv.visitMethodInsn(Opcodes.INVOKEVIRTUAL, "java/lang/String", "hashCode", "()I");
		mv.visitInsn(Opcodes.IRETURN);
		mv.visitLabel(other);
		mv.visitFrame(Opcodes.F_SAME, 0, null, 0, null);
	}

	/* The reader's calls of RT.nextID. */
	@SuppressWarnings("deprecation")
	private static MethodVisitor reading(MethodVisitor mv, Set<String> done) {
		return new MethodVisitor(API, mv) {
			@Override
			public void visitMethodInsn(int opcode, String owner, String name, String signature) {
				if (owner.equals(RT) && name.equals("nextID")) {
					done.add(READER);
					call(this.mv, "tenon/Ids", "nextRead", signature);
				} else {
					this.mv.visitMethodInsn(opcode, owner, name, signature);
				}
			}

			/* No @Override: absent where Clojure's ASM is older than 5. The reader calls nothing that an interface
			 * itself defines. */
			public void visitMethodInsn(int opcode, String owner, String name, String signature, boolean isInterface) {
				visitMethodInsn(opcode, owner, name, signature);
			}
		};
	}

	private interface Code {
		void write(MethodVisitor mv);
	}

	/* if (CONDITION) return; */
	private static MethodVisitor returnsIf(MethodVisitor mv, Code condition) {
		return new MethodVisitor(API, mv) {
			@Override
			public void visitCode() {
				super.visitCode();
				Label other = new Label();
				condition.write(this.mv);
				visitJumpInsn(Opcodes.IFEQ, other);
				visitInsn(Opcodes.RETURN);
				visitLabel(other);
				visitFrame(Opcodes.F_SAME, 0, null, 0, null);
			}
		};
	}

	private static MethodVisitor body(MethodVisitor mv, Code code) {
		mv.visitCode();
		code.write(mv);
		mv.visitMaxs(0, 0);
		mv.visitEnd();
		return null;
	}

	private static MethodVisitor atReturn(MethodVisitor mv, Code code) {
		return new MethodVisitor(API, mv) {
			@Override
			public void visitInsn(int opcode) {
				if (opcode == Opcodes.ARETURN)
					code.write(this.mv);
				super.visitInsn(opcode);
			}
		};
	}

	/** Stands for RT.lastModified. */
	public static long age(String file) {
		return file.endsWith(".class") ? 2 : 1;
	}

	private static byte[] patch(byte[] bytes, Set<String> done) {
		ClassReader in = new ClassReader(bytes);
		String owner = in.getClassName();
		ClassWriter out = new ClassWriter(ClassWriter.COMPUTE_MAXS);
		in.accept(new ClassVisitor(API, out) {
			@Override
			public MethodVisitor visitMethod(int access, String name, String signature, String generic, String[] thrown) {
				if (owner.equals(RT) && name.equals("load") && signature.equals(LOAD)) {
					done.add(owner + "." + name);
					load(super.visitMethod(access, name, signature, generic, thrown));
					return super.visitMethod(access, UNCLAIMED, signature, generic, thrown);
				}
				MethodVisitor mv = super.visitMethod(access, name, signature, generic, thrown);
				if (owner.startsWith(READER))
					return reading(mv, done);
				Change c = change(owner, name, signature);
				if (c == null)
					return mv;
				if (!name.equals("checkSpecs"))
					done.add(owner + "." + name);
				return c.apply(mv);
			}

			@Override
			public void visitEnd() {
				if (owner.equals("clojure/lang/Compiler$LocalBinding")) {
					done.add(owner);
					MethodVisitor mv = super.visitMethod(Opcodes.ACC_PUBLIC, "hashCode", "()I", null, null);
					body(mv, m -> {
						m.visitVarInsn(Opcodes.ALOAD, 0);
						m.visitFieldInsn(Opcodes.GETFIELD, owner, "idx", "I");
						m.visitInsn(Opcodes.IRETURN);
					});
				}
				super.visitEnd();
			}
		}, 0);
		return out.toByteArray();
	}

	private static boolean changes(String name) {
		return name.startsWith(READER) || name.equals(RT + ".class") || name.equals(UTIL + ".class") || name.equals(COMPILER + ".class")
				|| name.equals("clojure/lang/Compiler$LocalBinding.class");
	}

	/* Stored, not deflated: it is read at every start of a worker. Times are fixed so that equal inputs give equal jars. */
	static void put(ZipOutputStream out, String name, byte[] bytes) throws IOException {
		ZipEntry e = new ZipEntry(name);
		CRC32 crc = new CRC32();
		crc.update(bytes);
		e.setMethod(ZipEntry.STORED);
		e.setSize(bytes.length);
		e.setCrc(crc.getValue());
		e.setTimeLocal(java.time.LocalDateTime.of(1980, 1, 1, 0, 0));
		out.putNextEntry(e);
		out.write(bytes);
		out.closeEntry();
	}

	/* Files of a folder or a jar, by their names in the jar. */
	static Map<String, byte[]> contents(Path from) throws IOException {
		Map<String, byte[]> all = new TreeMap<>();
		if (Files.isDirectory(from)) {
			try (Stream<Path> files = Files.walk(from)) {
				for (Path p : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator)
					all.put(from.relativize(p).toString(), Files.readAllBytes(p));
			}
			return all;
		}
		try (ZipFile in = new ZipFile(from.toFile())) {
			for (ZipEntry e : Collections.list(in.entries()))
				if (!e.isDirectory())
					try (InputStream s = in.getInputStream(e)) {
						all.putIfAbsent(e.getName(), s.readAllBytes());
					}
		}
		return all;
	}

	/** Arguments: the jar to write, then folders and jars to read; of equal names the first counts. */
	public static void main(String[] args) throws Exception {
		Set<String> seen = new HashSet<>(), done = new TreeSet<>();
		try (ZipOutputStream out = new ZipOutputStream(new BufferedOutputStream(new FileOutputStream(args[0])))) {
			for (int i = 1; i < args.length; i++)
				for (Map.Entry<String, byte[]> e : contents(Path.of(args[i])).entrySet()) {
					String name = e.getKey();
					if (!name.startsWith("META-INF/") && seen.add(name))
						put(out, name, changes(name) ? patch(e.getValue(), done) : e.getValue());
				}
		}
		if (done.size() != CHANGES) {
			System.err.println("this Clojure's compiler is not one that the driver knows: only found " + done);
			System.exit(1);
		}
	}
}
