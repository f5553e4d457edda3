#!/bin/bash
# The namespaces of real Clojure libraries, Debian's and Maven Central's, as tenon reads them: against
# clojure.tools.namespace, file by file. Needs Maven's repository.
# level: all
# timeout: 900
# seconds: 60
. "$(dirname "$0")/lib.sh"
need clojure maven unzip default-jre-headless libcheshire-clojure libcompojure-clojure libcore-async-clojure \
	libcore-match-clojure libencore-clojure libhoneysql-clojure libinstaparse-clojure libkitchensink-clojure \
	libnippy-clojure libnrepl-clojure libpotemkin-clojure libprismatic-schema-clojure libring-core-clojure \
	libtrapperkeeper-clojure
reader=$(dirname "$TENON")/test-front-clojure
export TMPDIR

# Asks Maven for the jars of GROUP:ARTIFACT:VERSION, with what they need; their paths are in jars.
fetch() { # OUTPUT GROUP:ARTIFACT:VERSION...
	local out=$1 c g a v
	shift
	{
		echo '<project><modelVersion>4.0.0</modelVersion><groupId>t</groupId><artifactId>t</artifactId>'
		echo '<version>1</version><dependencies>'
		for c; do
			IFS=: read -r g a v <<<"$c"
			echo "<dependency><groupId>$g</groupId><artifactId>$a</artifactId><version>$v</version></dependency>"
		done
		echo '</dependencies></project>'
	} >pom.xml
	mvn -q -B -f pom.xml dependency:build-classpath "-Dmdep.outputFile=$PWD/$out" >mvn.log 2>&1 ||
		bail "Maven can't fetch: $(grep -m 1 ERROR mvn.log)"
}

fetch tool.cp org.clojure:clojure:1.11.1 org.clojure:tools.namespace:1.4.4
fetch central.cp org.clojure:core.async:1.6.681 org.clojure:tools.deps:0.18.1398 org.clojure:clojurescript:1.11.60 \
	com.xtdb:xtdb-core:1.24.3

mkdir sources
i=0
while read -r jar; do
	unzip -Z1 "$jar" 2>/dev/null | grep -Eq '\.cljc?$' || continue
	i=$((i + 1))
	# Each jar is a root of its own.
	mkdir "sources/$i-$(basename "$jar" .jar)"
	unzip -qo "$jar" '*.clj' '*.cljc' -d "sources/$i-$(basename "$jar" .jar)" 2>/dev/null
# Leiningen's jar holds templates, which are no Clojure.
done < <(find /usr/share/java -maxdepth 1 -type f -name '*.jar' ! -name 'leiningen-*' | sort; tr ':' '\n' <central.cp)

"$reader" --needs sources/* >ours.out 2>ours.err
is $? 0 "all sources can be read"
diag_file ours.err
java -cp "$(cat tool.cp)" clojure.main "$T_DIR/clojure/needs.clj" sources/* >theirs.out 2>theirs.err
is $? 0 "clojure.tools.namespace reads them"
# A need that is said outside the ns form has a "+" before it; the other reader does not look there.
normal() { # FILE
	awk -F '\t' '{
		n = split($3, needs, " "); line = $1 "\t" $2 "\t"
		k = 0
		for (i = 1; i <= n; i++) if (needs[i] !~ /^\+/ && !seen[NR, needs[i]]++) list[++k] = needs[i]
		for (i = 2; i <= k; i++) { x = list[i]; for (j = i - 1; j >= 1 && list[j] > x; j--) list[j + 1] = list[j]; list[j + 1] = x }
		for (i = 1; i <= k; i++) line = line (i > 1 ? " " : "") list[i]
		print line
	}' "$1" | sort
}
normal ours.out >ours
normal theirs.out >theirs
diag "$(wc -l <ours) files of $i jars"
ok "over 500 files" test "$(wc -l <ours)" -gt 500
same_file ours theirs "the same namespaces with the same needs"

bad=
for root in sources/*; do
	"$reader" --order "$root" >order 2>err || bad="$bad $root"
done
is "$bad" "" "each library has an order"
done_testing
