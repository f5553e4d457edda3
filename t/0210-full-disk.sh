#!/bin/bash
# A full disk, at the beginning and in the midst of a build: what is said, and that nothing bad stays.
# seconds: 30
. "$(dirname "$0")/lib.sh"
need sbcl mount util-linux

# In a mount namespace of its own.
if [ -z "${INSIDE-}" ]; then
	INSIDE=1 exec unshare --mount ${UNSHARE_USER-$([ "$(id -u)" = 0 ] || echo --map-root-user --user)} bash "$0"
	bail "no mount namespace: the test needs root or user namespaces"
fi
small_system
disk=$T_WORK/disk
mkdir "$disk"
mount -t tmpfs -o size=300k none "$disk" || bail "no file system can be mounted here"

expect_fail 3 build --store="$disk/store"
like "$(stderr)" '[Nn]o space left' "a full disk is told"
like "$(stderr)" "$disk" "and where"

# Room for all; then the disk is filled, so that the first FASL finds no place.
mount -o remount,size=400m "$disk"
build_ok --store="$disk/store"
sed -i 's/21/22/' use.lisp
fill() { dd if=/dev/zero of="$disk/filler" bs=64k 2>/dev/null; dd if=/dev/zero of="$disk/filler2" bs=512 2>/dev/null; }
fill
expect_fail 3 build --store="$disk/store"
like "$(stderr)" '[Nn]o space left' "a disk that is full in the midst of a build is told"
rm -f "$disk/filler" "$disk/filler2"
build_ok --store="$disk/store"
expect_ran 1
eval_is '(small:answer)' 44 "afterwards the build is right" --module small --store="$disk/store"

# The workspace itself on a full disk.
mkdir "$disk/w" && cp ./*.asd ./*.lisp "$disk/w" && cd "$disk/w" || exit 1
fill
tenon build --store="$T_WORK/store2"
is "$CODE" 3 "a workspace without room ends with 3"
like "$(stderr)" '[Nn]o space left' "and says so"
rm -f "$disk/filler" "$disk/filler2"
build_ok --store="$T_WORK/store2"
cd "$T_WORK" || exit 1
umount "$disk"
done_testing
