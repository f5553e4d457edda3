#!/bin/bash
# Java: libraries, jars that are there, programs; what the compiler says.
# seconds: 20
. "$(dirname "$0")/lib.sh"
need openjdk-17-jdk-headless libcommons-lang3-java

touch WORKSPACE
mkdir -p lib app/src/demo text/src/demo/text text/resources
cp /usr/share/java/commons-lang3.jar lib/
cat >lib/BUILD <<'END'
(prebuilt-jar :name "lang3" :jar "commons-lang3.jar" :visibility ["PUBLIC"])
END
cat >text/src/demo/text/Text.java <<'END'
package demo.text;

import org.apache.commons.lang3.StringUtils;

public class Text {
    public static String centre(String s) {
        return StringUtils.center(s, 9, '*');
    }
}
END
echo "a resource" >text/resources/note.txt
cat >text/BUILD <<'END'
(java-library :name "text" :srcs ["src/**/*.java"] :resources ["resources/note.txt"] :deps ["//lib:lang3"]
              :visibility ["PUBLIC"])
END
cat >app/src/demo/Main.java <<'END'
package demo;

public class Main {
    public static void main(String[] args) throws Exception {
        System.out.println(demo.text.Text.centre(args[0]));
        System.out.print(new String(Main.class.getResourceAsStream("/note.txt").readAllBytes()));
        System.exit(Integer.parseInt(args[1]));
    }
}
END
cat >app/BUILD <<'END'
(java-binary :name "main" :main "demo.Main" :srcs ["src/**/*.java"] :deps ["//text"]
             :manifest {"Implementation-Title" "demo"})
END
build_ok
expect_ran 4
out=.tenon/out/default
is "$(java -jar $out/app/main.jar abc 0)" "***abc***
a resource" "java -jar of the result runs"
like "$(unzip -p $out/app/main.jar META-INF/MANIFEST.MF 2>/dev/null ||
	"$PYTHON" -c 'import sys,zipfile; print(zipfile.ZipFile(sys.argv[1]).read("META-INF/MANIFEST.MF").decode())' \
		$out/app/main.jar)" '^Implementation-Title: demo' "the manifest has what was declared"
raw_tenon "$T_LOG" "$T_OUT" "$T_ERR" run //app:main x 5
is "$CODE $(head -n 1 "$T_OUT")" "5 ****x****" "run"
before=$(outputs .)
mkdir "$T_WORK/w2" && cp -r WORKSPACE lib text app "$T_WORK/w2"
tenon build -C "$T_WORK/w2" --store="$T_WORK/store2"
is "$CODE $(outputs "$T_WORK/w2")" "0 $before" "the same bytes in another folder with another store"

# A comment changes no class: the jar, and what rests on it, stay.
echo "// the end" >>text/src/demo/text/Text.java
tenon build
is "$CODE $(ran)" "0 //text:text (javac)" "a comment is compiled, and nothing else happens"
sed -i "s/'\*'/'-'/" text/src/demo/text/Text.java
build_ok
is "$(ran | tr '\n' ' ')" "//app:main //app:main (javac) //text:text //text:text (javac) " "a change goes up"
is "$(java -jar $out/app/main.jar abc 0 | head -n 1)" "---abc---" "and is there"

# What the compiler says.
sed -i 's/StringUtils.center/StringUtils.centre/' text/src/demo/text/Text.java
expect_fail 1 build
like "$(diagnostics)" '^error	javac	Text.java	[0-9]+	27	cannot find symbol' "an error of the compiler has a place"
like "$(stderr)" 'text/src/demo/text/Text.java:[0-9]+:27: error: cannot find symbol' "and is shown"
is "$(logged "$T_LOG" failed)" "//text:text (javac)" "one action failed"
sed -i 's/StringUtils.centre/StringUtils.center/' text/src/demo/text/Text.java
build_ok

# Deprecated API: a warning that succeeds, shown again.
sed -i 's/(java-library/& :javac-options ["-Xlint:deprecation"]/' text/BUILD
sed -i 's/return StringUtils/new Integer(1); &/' text/src/demo/text/Text.java
build_ok
like "$(diagnostics)" '^warning	javac	Text.java	[0-9]+	[0-9]+	\[(removal|deprecation)\]' "a warning"
tenon build
like "$(diagnostics)" '^warning	javac	Text.java' "is shown again when nothing is done"

# What is not declared is not there.
sed -i 's/:deps \["\/\/lib:lang3"\]//' text/BUILD
expect_fail 1 build //text:text
like "$(diagnostics)" '^error	javac	Text.java	[0-9]+	[0-9]+	package org.apache.commons.lang3 does not exist' "an undeclared jar"
done_testing
