package tenon;

import java.io.BufferedOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/** The jar that holds the classes of others' namespaces, and the names of those that could not be compiled. */
public final class Layer {
	private static final String LEFT = "tenon/left";

	private Layer() {}

	/** The namespaces that are left as source. */
	public static Collection<String> left(String jar) throws IOException {
		try (ZipFile in = new ZipFile(jar)) {
			ZipEntry e = in.getEntry(LEFT);
			if (e == null)
				return Collections.emptyList();
			try (InputStream s = in.getInputStream(e)) {
				return new String(s.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
			}
		}
	}

	/**
	 * @param made another one, all of which is taken; or null
	 * @param compiled more classes, by file name
	 */
	public static void write(String jar, String made, Iterable<Map<String, byte[]>> compiled, Iterable<String> left)
			throws IOException {
		Map<String, byte[]> all = new TreeMap<>();
		if (made != null)
			all.putAll(Patch.contents(Path.of(made)));
		compiled.forEach(all::putAll);
		all.put(LEFT, String.join("\n", left).getBytes(StandardCharsets.UTF_8));
		try (ZipOutputStream out = new ZipOutputStream(new BufferedOutputStream(new FileOutputStream(jar)))) {
			for (Map.Entry<String, byte[]> e : all.entrySet())
				Patch.put(out, e.getKey(), e.getValue());
		}
	}
}
