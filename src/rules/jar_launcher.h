/* jar_launcher.h - a class that starts a Clojure namespace which makes none itself (no gen-class), for Main-Class.
 *
 * It has the namespace's name, and one method:
 *
 *     public static void main(String[] args) { clojure.main.main(new String[] {"-m", NAMESPACE, args...}); }
 *
 * So `java -jar` does what `clojure -M -m NAMESPACE` does. */
#ifndef TENON_RULES_JAR_LAUNCHER_H
#define TENON_RULES_JAR_LAUNCHER_H

#include "base/arena.h"
#include "base/str.h"

/* Appends the class file's bytes; the entry's name "my_app/main.class", in `a`. */
struct str jar_launcher(struct arena *a, struct str ns, struct buf *out);

#endif
