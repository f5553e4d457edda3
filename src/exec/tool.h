/* tool.h - work of our own that runs as a command, like any other program's: this same program, executed with the
 * hidden first argument TOOL_ARG, in parallel with the rest of a build and as confined as a compiler.
 *
 *     --tenon-tool fetch OUT SHA256 URL...         http, https and file; the first that gives that content
 *     --tenon-tool zip OUT PACKER [--file NAME PATH | --archive PREFIX PATH]...
 *                                                  a folder PATH stands for all files below it
 *     --tenon-tool jar OUT PACKER [--main NAME] [--threads N] [--entry NAME VALUE]
 *                                 [--dir|--jar|--trusted LABEL PATH]... [--one FOLDER NAME]...
 *
 * PACKER is zip_packer(), there only to be a part of the words and so of keys.
 *
 * `zip` and `jar` give equal bytes for equal inputs (wire/zip.h, rules/jar.h). Complaints go to standard error. */
#ifndef TENON_EXEC_TOOL_H
#define TENON_EXEC_TOOL_H

#define TOOL_ARG "--tenon-tool"

/* main() must call this when argv[1] is TOOL_ARG. The exit code. */
int tool_main(int argc, char **argv);

#endif
