# Clojure projects without Maven: read by tests behind lib.sh.
#
#     resolved DIR DESCRIPTION [GROUP/ARTIFACT=JAR...]
#
# writes what an earlier build would have left for DIR/DESCRIPTION (deps.edn, project.clj): the lock and the jars of
# Clojure as Debian ships it, and of the libraries named. A description that changes has to be resolved again.
CLOJURE_JARS="org.clojure/clojure=/usr/share/java/clojure.jar org.clojure/core.specs.alpha=/usr/share/java/core.specs.alpha.jar
	org.clojure/spec.alpha=/usr/share/java/spec.alpha.jar"

resolved() {
	local dir=$1 from=$2 entry lib jar name
	shift 2
	mkdir -p "$dir/.tenon/deps"
	{
		echo "{:version 1 :from \"$from\" :from-sha256 \"$(sha256sum "$dir/$from" | cut -d ' ' -f 1)\" :jars ["
		# shellcheck disable=SC2086
		for entry in $CLOJURE_JARS "$@"; do
			lib=${entry%%=*} jar=${entry#*=} name=${lib##*/}
			cp "$jar" "$dir/.tenon/deps/$name-1.jar"
			echo "{:lib $lib :mvn/version \"1\" :scope :main :size $(stat -L -c %s "$jar")" \
				":sha256 \"$(sha256sum "$jar" | cut -d ' ' -f 1)\"}"
		done
		echo "]}"
	} >"$dir/.tenon/deps/deps.lock"
}

# sources JAR FOLDER: the Clojure sources that a jar has.
sources() {
	mkdir -p "$2"
	"$PYTHON" - "$1" "$2" <<-'END'
		import sys, zipfile
		z = zipfile.ZipFile(sys.argv[1])
		for n in z.namelist():
		    if n.endswith((".clj", ".cljc", ".edn")) and not n.startswith(("META-INF/", "project.clj")):
		        z.extract(n, sys.argv[2])
	END
}
