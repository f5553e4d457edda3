/* snapshots.h - images that outlive a build.
 *
 * To put an image together takes a second or more where a hundred headers of libraries stand before the one file that
 * was edited; the same ones each time. So one image of a build is saved when it ends, by a process that stays behind
 * (pool.h, pool_keep), and the next build that needs it, or what comes behind it, starts there.
 *
 *     struct snapshots s = {.build = b};
 *     snapshots_use(&s);       // the image tree is set: starts from a snapshot, marks the image that is to be saved
 *     ... the build runs ...
 *     snapshots_leave(&s);     // has it saved, if that is worth its while
 *
 * The key of a snapshot is a digest of all that went into the image: the core, the environment, and each step, in
 * order, with the bytes of its files. (An image that can stand for another one in a key, because nobody uses what is
 * different in it, can't here.) Which image is saved: the deepest above an action of the workspace's own whose steps
 * will probably be the same in the next build: libraries, and files that were not edited since the last build. An image
 * that holds what no file can hold (memory that a foreign library has allocated) can't be saved; often that is known
 * only when its headers have told, so images above it, one for each system, are kept at hand. Nothing here makes a
 * build fail. */
#ifndef TENON_BUILD_SNAPSHOTS_H
#define TENON_BUILD_SNAPSHOTS_H

#include "build/build.h"

#define SNAPSHOTS_WANTED 8

struct snapshots {
	struct build *build;
	/* private */
	node_id from; /* the image that a snapshot was started for; 0: none */
	struct digest from_key;
	node_id wanted[SNAPSHOTS_WANTED]; /* which image is to be saved: the first of them that can be */
	size_t nwanted;
};

/* The hidden first argument of the program, for what is to be done behind the saving: ARG STORE KEY CORE
 * STATUS, where CORE is the file that was written, in a scratch folder of its own, and STATUS the writer's. */
#define SNAPSHOT_ARG "--tenon-keep-snapshot"
int snapshot_main(int argc, char **argv);

/* The same for a base core: ARG STORE BASE PROGRAM CORE STATUS (toolchain_keep_base_core). */
int base_core_main(int argc, char **argv);

void snapshots_use(struct snapshots *s);
void snapshots_leave(struct snapshots *s);

#endif
