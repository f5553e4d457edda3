/* replay.c - runs a fuzzer's function over files, for compilers without libFuzzer. TAP on standard output.
 *
 *     replay-TOPIC FILE-OR-FOLDER...
 *
 * Of a folder it takes all files, in order of name. That a file crashes the function is the failure looked for. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/str.h"
#include "base/tap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_file(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "rb");
	char bytes[8192];
	size_t n;
	if (!f)
		return false;
	while ((n = fread(bytes, 1, sizeof(bytes), f)))
		buf_add(out, bytes, n);
	bool ok = !ferror(f);
	fclose(f);
	return ok;
}

static void replay(const char *path)
{
	struct buf text = {0};
	bool ok = read_file(path, &text);
	/* An exact copy, so that a sanitizer sees the first byte read beyond the end. */
	uint8_t *exact = malloc(text.len ? text.len : 1);
	if (exact && text.len)
		memcpy(exact, text.ptr, text.len);
	tap_ok(ok && exact && LLVMFuzzerTestOneInput(exact, text.len) == 0, "%s", path);
	free(exact);
	buf_release(&text);
}

static int visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static void replay_folder(const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, visible, alphasort);
	tap_ok(n > 0, "%s holds files", path);
	for (int i = 0; i < n; i++) {
		struct buf file = {0};
		buf_addf(&file, "%s/%s", path, entries[i]->d_name);
		replay(buf_cstr(&file));
		buf_release(&file);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct stat st;
		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			replay_folder(argv[i]);
		else
			replay(argv[i]);
	}
	return tap_done();
}
