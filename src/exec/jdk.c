#include "exec/jdk.h"

#include <stdlib.h>

#include "os/fs.h"
#include "os/process.h"

/* The folder two above the program, links followed. */
static char *home_of(struct arena *a, const char *program)
{
	char *real = realpath(program, NULL);
	char *home = real ? str_dupz(a, path_dir(path_dir(str_from(real)))) : NULL;
	free(real);
	return home;
}

static bool add_file(struct jdk *j, struct arena *a, const char *name, struct hasher *h, struct filecache *files,
                     struct err *err)
{
	char *path = path_join(a, j->home, name);
	struct digest d;
	bool exists;
	if (!filecache_digest(files, path, &d, NULL, &exists, err))
		return false;
	hasher_str(h, "name", str_from(name));
	hasher_u64(h, "exists", exists);
	hasher_digest(h, "content", &d);
	vec_push(&j->files, str_from(path));
	return true;
}

bool jdk_find(struct jdk *ret, struct arena *a, const char *java_home, const char *search, struct filecache *files,
              struct err *err)
{
	/* lib/modules is the whole library and compiler in one file; the launchers are a few kilobytes. */
	static const char *const parts[] = {"release", "lib/modules", "lib/server/libjvm.so", "bin/javac", "bin/java"};
	struct jdk j = {0};
	char *javac = java_home && *java_home ? path_join(a, java_home, "bin/javac") : process_find(a, search, "javac");
	j.home = javac ? home_of(a, javac) : NULL;
	if (!j.home) {
		err_set(err, ERR_ENVIRONMENT, "there is no Java development kit");
		err_note(err, "install one, such as Debian's default-jdk-headless, or set JAVA_HOME");
		return false;
	}
	j.java = path_join(a, j.home, "bin/java");
	j.javac = path_join(a, j.home, "bin/javac");
	struct hasher *h = hasher_new(STR("tenon-jdk-1"));
	bool ok = true;
	for (size_t i = 0; ok && i < ARRAY_LEN(parts); i++)
		ok = add_file(&j, a, parts[i], h, files, err);
	j.digest = hasher_end(h);
	if (ok)
		*ret = j;
	else
		jdk_release(&j);
	return ok;
}

void jdk_release(struct jdk *j)
{
	vec_release(&j->files);
}
