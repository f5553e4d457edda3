/* embed.c - writes files as a C table (src/base/embed.h). Runs on the build machine.
 *
 *     embed OUTPUT.c ROOT [NAME=]FILE...
 *
 * The table holds NAME, or the path relative to ROOT, sorted by bytes whatever the order given. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what, const char *path)
{
	fprintf(stderr, "embed: %s \"%s\": %s\n", what, path, strerror(errno));
	exit(1);
}

struct file {
	const char *name, *path;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static void put_string(FILE *out, const char *s)
{
	putc('"', out);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			putc('\\', out);
		putc(*s, out);
	}
	putc('"', out);
}

/* Numbers, not a string literal: C17 promises only 4095 bytes of those. */
static size_t put_bytes(FILE *out, const char *path, int index)
{
	FILE *in = fopen(path, "rb");
	size_t n = 0;
	int c;
	if (!in)
		die("can't open", path);
	fprintf(out, "static const unsigned char data_%d[] = {", index);
	while ((c = getc(in)) != EOF)
		fprintf(out, "%s%d,", n++ % 24 ? "" : "\n", c);
	if (ferror(in))
		die("can't read", path);
	fclose(in);
	fprintf(out, "\n0 };\n");
	return n;
}

static const char *relative(const char *path, const char *root)
{
	size_t n = strlen(root);
	if (strncmp(path, root, n) != 0 || path[n] != '/') {
		errno = EINVAL;
		die("not below the root", path);
	}
	return path + n + 1;
}

static struct file named(char *arg, const char *root)
{
	char *equals = arg[0] == '/' ? NULL : strchr(arg, '=');
	if (!equals)
		return (struct file){relative(arg, root), arg};
	*equals = 0;
	return (struct file){arg, equals + 1};
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: embed OUTPUT.c ROOT [NAME=]FILE...\n");
		return 2;
	}
	int n = argc - 3;
	struct file *files = calloc((size_t)n + 1, sizeof(*files));
	size_t *sizes = calloc((size_t)n + 1, sizeof(*sizes));
	FILE *out = fopen(argv[1], "wb");
	for (int i = 0; files && i < n; i++)
		files[i] = named(argv[3 + i], argv[2]);
	if (files)
		qsort(files, (size_t)n, sizeof(*files), by_name);
	if (!out || !sizes || !files)
		die("can't write", argv[1]);
	fprintf(out, "#include \"base/embed.h\"\n\n");
	for (int i = 0; i < n; i++)
		sizes[i] = put_bytes(out, files[i].path, i);
	fprintf(out, "\nconst struct embedded_file embedded_files[] = {\n");
	for (int i = 0; i < n; i++) {
		fprintf(out, "\t{ ");
		put_string(out, files[i].name);
		fprintf(out, ", data_%d, %zu },\n", i, sizes[i]);
	}
	/* The last entry ends the table, so that it is never empty. */
	fprintf(out, "\t{ 0, 0, 0 },\n};\nconst size_t embedded_files_count = %d;\n", n);
	free(sizes);
	free(files);
	if (fflush(out) || ferror(out) || fclose(out))
		die("can't write", argv[1]);
	return 0;
}
