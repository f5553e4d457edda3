/* build.h - one build of a graph: which actions are current, running the others, and what came of it.
 *
 *     struct build b;
 *     build_init(&b, session, graph);
 *     build_run_and_commit(&b, err);     // failures are in the units, err is for what stops a build
 *     build_release(&b);
 *
 * A unit is an action in this build. Its life: its inputs and the contributions of its dependencies become known, so
 * its key is; the key is in the store (CACHED, or CURRENT where even the files lie there already) or it runs (RAN,
 * FAILED). What a unit leaves in images is its contribution. Units that aren't tasks have a contribution only. */
#ifndef TENON_BUILD_BUILD_H
#define TENON_BUILD_BUILD_H

#include "build/scratch.h"
#include "build/session.h"
#include "build/suspects.h"
#include "graph/image.h"
#include "lang/sexp.h"
#include "sched/sched.h"

struct build;

/* What is in a unit's image. */
enum lax {
	LAX_NOT,     /* what it declares */
	LAX_SYSTEM,  /* what precedes it in its system, too */
	LAX_RELATED, /* and in what is loaded for those that need it */
	LAX_ALL,     /* and in all that is asked for */
};

struct unit {
	struct action_facts facts;
	struct digest contribution;
	struct digest key;      /* under which the store was asked */
	bool known;             /* the contribution is: for a task, it has its outputs */
	bool ended;             /* known, failed or skipped */
	bool external;          /* of a system that was not asked for by name and lies outside the workspace */
	bool foreign;           /* of a system outside the workspace: its author's declarations are not the user's */
	uint8_t lax;            /* enum lax: what its image holds */
	bool wants_lax;         /* it failed; another try with more in its image is due */
	uint32_t declared;      /* of its action's deps, how many are declared: the others came with lax */
	struct str missed;      /* the names that it lacked in the declared image, as forms */
	bool suspect;           /* it has its result, and waits for the rest of its system: see suspects.h */
	bool lax_failed;        /* in the declared image it failed; else it only left names undefined */
	struct digest lax_note; /* where the store has this */
	bool reported;          /* people have heard that it has ended */
	uint8_t attempts;
	bool plain;    /* nothing is put off: the warnings that failed it may not count then */
	bool prepared; /* looked up, missed, its request is made: waits for a process */
	enum outcome outcome;
	struct str reason;        /* why it ran, for `explain` */
	struct str diagnostics;   /* forms, as the driver sent them */
	struct str undefined;     /* a list of names, likewise */
	struct str facts_text;    /* what the store has of the result besides its files, as a form */
	struct str record;        /* of a header: what it told */
	struct digest heads;      /* of a header: of all heads that it has */
	bool outside;             /* of a header: it allocated memory outside of the Lisp */
	uint32_t inlined;         /* of a header: how many conses of others' code its compile is to take in */
	struct str uses;          /* of a compile: the rows that its result rests on, as a form */
	struct str reads;         /* files that were read on the way, likewise; see reads.c */
	bool wants_fasls;         /* it failed among headers; another try among FASLs is due */
	bool replayed;            /* the calls that it made before were made again, or are about to be */
	struct digest header_key; /* then: its key there */
	uint64_t wall_ns, cpu_ns, step_ns;
	uint64_t urgency_ns; /* see urgency.h */
	node_id standby;     /* of b->images, which is kept for it: see standby.h; 0: none */
	int64_t started_ns;
	uint64_t event_id;
	char *scratch;
	struct unit_request *request; /* while it runs, or is about to */
	struct build *build;
};

/* What a process is asked to do. Most units of most builds never need one. */
struct unit_request {
	struct pool_job job;
	struct buf act; /* the request's text */
};

/* A function that a header shows: what others see of it. */
struct head {
	action_id header;
	struct str unit, digest;
	uint32_t next; /* index + 1 of the one of that name which was told before it; 0: there is none */
};

struct build {
	struct session *session;
	struct graph *graph;
	struct unit *units; /* by action */
	struct image_tree images;
	bool have_images;
	struct sched *sched;
	struct arena arena;
	struct scratches scratches;
	struct map durations; /* label -> ns, from the history */
	struct map previous;  /* label -> where its record begins in previous_text */
	DigestVec bases;      /* that these records share */
	struct buf previous_text;
	bool stuck;         /* nothing runs, and nothing could start by the rules */
	bool any_doomed;    /* a step has failed, and images of actions that are ready may hold it */
	bool urgency_stale; /* a header took long: see urgency.h */
	bool stop;          /* a failure, and not --keep-going */
	bool warnings_new;
	struct err fatal;         /* what ended the whole build: a full disk, a dead Lisp */
	struct map step_failures; /* steps whose failure was shown */
	struct suspects suspects;
	uint32_t *family; /* by system: a number that it shares with its secondary systems */
	struct map rows;  /* "unit\nrow" -> index into row_digests: what headers told; see rows.c */
	StrVec row_digests;
	struct map heads; /* digits of a function's name -> index + 1 into all_heads, the last that was told */
	Vec(struct head) all_heads;
	U32Vec edited; /* headers whose sources changed and which show the same as before */
	uint32_t running;
	uint32_t again; /* results that did not stand: their units run once more */
	uint64_t ran, cached, current, failed, skipped, warnings, hidden_warnings;
	uint64_t errors;      /* that people were told */
	uint64_t wrong_input; /* of those that failed: a source is missing, say */
	uint64_t cpu_ns, step_ns;
	struct buf replay; /* diagnostics to show again when nothing changed: see report_replay */
};

/* The unit of a row in `rows` below that is a file which was read, "root:path" with its state. */
#define RECORD_READ "\x02"

/* What was known of a unit the last time: for explanations. */
struct unit_record {
	struct str label;
	struct digest base, inputs, own, key;
	struct str outcome, reason;
	struct str rows; /* of a header, or that a compile used, with their digests then */
};

/* Like session_describe(), but what .asd files load while they are read is built first where that takes long: in
 * parallel, and out of the store (provide.c). */
bool build_describe(struct session *s, struct graph *g, struct err *err);

void build_init(struct build *b, struct session *s, struct graph *g);
void build_release(struct build *b);
bool build_run(struct build *b, struct err *err); /* every pass */
/* That, and records for the next build and for `explain`, whatever came of it; `err` gets the first error. */
bool build_run_and_commit(struct build *b, struct err *err);
bool build_succeeded(const struct build *b);
/* Of a build that did not succeed and told no error of its own: what the process exits with. */
int build_exit_code(const struct build *b);
/* Estimate of the wall time that is left, in ns; 0 where nothing is to run. */
uint64_t build_left_ns(const struct build *b);
/* How long an action will take: by the history, or by the size of its source and of what will be inlined there, if its
 * header is known. */
uint64_t build_expected_ns(struct build *b, action_id id);

/* -- run.c: for those who take answers -- */
/* A task has ended: it is counted and told, and what waits for it may start. */
void run_end(struct build *b, action_id id, bool ok);
/* The same where its result was there before anything ran. */
void run_end_known(struct build *b, action_id id);
/* Tells how much there is to do in all. */
void run_emit_total(struct build *b);
/* A header's record is there, or it has become a load. Nobody waits to hear of it. */
void run_end_quietly(struct build *b, action_id id, bool ok);
/* The task failed by `err`, which is cleared. */
void run_fail(struct build *b, action_id id, struct err *err);
bool action_is_header(const struct build *b, action_id id);

/* -- resolve.c: what the store has before anything runs -- */
/* Takes that, and gives units that are known to need more than they declare what they need. `ret_open` gets what is to
 * run, or waits for it, in the graph's order. */
bool resolve_all(struct build *b, U32Vec *ret_open, struct err *err);
/* Behind the build: makes known what steps leave that no image of it had. */
bool resolve_rest(struct build *b, struct err *err);

/* -- start.c: ready actions -- */
/* Starts as many as there are slots and images for, the most urgent first. */
bool start_ready(struct build *b, struct err *err);
/* True of a header that no image holds: it tells what nobody asks. */
bool start_is_unneeded(const struct build *b, action_id id);

/* -- answers.c: pool_job.done of compiles and of headers -- */
void answer_compile(struct pool_job *job, const struct pool_result *r);
/* The unit has its result, and waited for what the rest of its system tells: that `stands`, or it is tried again. */
void answer_judged(struct build *b, action_id id, bool stands);
void answer_header(struct pool_job *job, const struct pool_result *r);

/* -- replan.c: actions that need another image than was planned -- */
bool replan_pending(void *ctx, action_id id);
/* False: there is nothing more to give. */
bool replan_widen(struct build *b, action_id id);
bool replan_fasls(struct build *b, action_id id);
bool replan_widen_header(struct build *b, action_id id);
void replan_refuse_header(struct build *b, action_id id, bool slow);
/* True: the spine has passed the header's place, and it got one of its own. */
bool replan_stray(struct build *b, action_id id);
/* The header that failed among all others is made in an image of its own. */
void replan_apart(struct build *b, action_id id, const struct pool_result *r);

/* -- unit.c: keys, the store, files -- */
/* Digests the inputs; every dependency is known. False: a source is missing or cannot be read. */
bool unit_inputs(struct build *b, action_id id, struct err *err);
/* Makes the contributions of all that `id` depends on known. */
bool unit_dependencies(struct build *b, action_id id, struct err *err);
/* Looks the key up; if it is found, the result is set, and its outputs are in the store. */
bool unit_find(struct build *b, action_id id, bool *ret_found, struct err *err);
/* Behind unit_find(). On a hit the outputs lie in the out folder, and the unit is known. */
bool unit_place(struct build *b, action_id id, bool *ret_hit, struct err *err);
/* Both. */
bool unit_lookup(struct build *b, action_id id, bool *ret_hit, struct err *err);
/* Takes what a leaf has made: stores, links, makes the unit known. *ret_again: a source changed meanwhile. */
bool unit_accept(struct build *b, action_id id, const struct sexp *acted, bool *ret_again, struct err *err);
void unit_contribute(struct build *b, action_id id);
/* For a unit that was looked up in vain: has the store a result for the digests of rows in `rows`, a list of (unit row
 * digest), with all else as it is? */
bool unit_result_before(struct build *b, action_id id, const struct sexp *rows, bool *ret_found, struct err *err);
/* That result is the one for the rows as they are now, and rests on the rows in `uses`. It is found from now on. */
bool unit_adopt_before(struct build *b, action_id id, const struct sexp *rows, struct str uses, struct err *err);
/* True if both have outputs of the same bytes, of the same number, in the same order. */
bool unit_same_outputs(const struct unit *a, const struct unit *b);
/* Forgets how the unit ended: it is to run once more, with another image. */
void unit_try_again(struct build *b, action_id id);

/* Text of a list of forms, in the build's arena; empty for an empty list or NULL. */
struct str list_text(struct build *b, const struct sexp *list);

/* -- headers.c: headers, and what results used of them -- */
enum header_found { HEADER_UNKNOWN, HEADER_KNOWN, HEADER_REFUSED, HEADER_SLOW };
/* Looks up the record of a header whose dependencies are known. KNOWN: the unit is, too. REFUSED: its file gets none,
 * the FASL is loaded among headers. SLOW: it does too much work for an interpreter; so would its FASL among headers. */
bool header_lookup(struct build *b, action_id id, enum header_found *ret, struct err *err);
/* Takes what the image told that had the header. *ret_accepted false: there is no record in it. */
bool header_accept(struct build *b, action_id id, struct str answer, bool *ret_accepted, struct err *err);
/* Remembers that this file gets no header; `slow`: as HEADER_SLOW has it. `why` is told where the answer says nothing.
 */
bool header_note_refused(struct build *b, action_id id, bool slow, struct str answer, const char *why, struct err *err);
bool header_may_use_fasls(const struct build *b, action_id id);
/* Among headers it failed: it is to be compiled among FASLs, as if unit_lookup had found the note. */
void header_try_fasls(struct build *b, action_id id);
/* It did well among FASLs: notes, in place of its result among headers, that it needs them. What fails either way may
 * lack something that comes back. */
bool header_note_classic(struct build *b, action_id id, struct err *err);

/* -- rows.c: what results used of headers -- */
/* Names of rows that begin with one of these are heads: a function was looked up, and whether it is there and what its
 * lambda list is may have made a difference (asked), or it had to be there. Sixteen digits follow, and in a header's
 * own list of rows the function's name. Those that nobody defined are in the unit whose name is empty. */
#define ROW_ASKED     '='
#define ROW_WANTED    '#'
#define ROW_ALL_HEADS "=*" /* of all headers that are in the action's image */
bool row_is_head(struct str row);
/* The function's name, in a row of a header's own. */
struct str row_head_name(struct str row);
/* True if `uses`, a text, has the head of the function that `row`, a header's own, is about. */
bool row_looks_up(struct str uses, struct str row);
/* The header has these rows, a list of (row digest). */
void rows_keep(struct build *b, action_id header, struct str unit, const struct sexp *rows);
/* The digest of a row as the action `id` sees it, or an empty string when there is none. In the build's arena. */
struct str row_digest(struct build *b, action_id id, struct str unit, struct str row);
/* The same of a row of the header's own, whoever looks. */
struct str row_own_digest(const struct build *b, action_id header, struct str unit, struct str row);
/* The first item about that row in a list of (unit row what...), or NULL; so for a list that is NULL. */
const struct sexp *row_item(const struct sexp *list, struct str unit, struct str row);
/* Which rows count: FOUND, heads that were asked for and that somebody has; BODIES, all but heads. */
enum rows_counted { ROWS_ALL, ROWS_BODIES, ROWS_FOUND };
/* Mixes the rows in `uses`, a list of (unit row...), and their digests: as `id` sees them now, or those that `before`
 * has, a list of (unit row digest), which may be NULL. */
void rows_hash(struct build *b, action_id id, enum rows_counted counted, const struct sexp *uses,
               const struct sexp *before, struct hasher *h);
void rows_release(struct build *b);

/* -- replay.c: compiles that may not notice that bodies which they called have changed -- */
/* Keeps what the driver recorded of the calls that a compile made. Its result is stored. */
bool replay_record(struct build *b, action_id id, const struct sexp *acted, struct err *err);
/* If nothing but calls that are on record stands between the unit, which is prepared, and its result of before, its
 * request becomes that to make these calls again; once. */
bool replay_prepare(struct build *b, action_id id, struct err *err);
/* pool_job.done of replays: the result of before will do, or the unit runs. */
void answer_replay(struct pool_job *job, const struct pool_result *r);

/* -- reads.c: files that code read while it was compiled or loaded, and that nobody declared -- */
struct read_file {
	struct str root, rel; /* its name, which holds in other places too: a system and a path in it */
	bool probed;          /* only whether it is there counts */
	bool own;             /* the unit itself read it, not a step of its image */
	struct digest state;  /* now; zero if there is no such place here */
};
/* The files in `reads`, as the driver tells them, by such names: a form's text, empty if there are none. *ret_changed:
 * one of them is not what was read. */
struct str reads_take(struct build *b, action_id id, const struct sexp *reads, bool *ret_changed);
/* The next file of such a form from `*at` on, which goes up. False: there is none. */
bool reads_next(struct build *b, const struct sexp *named, uint32_t *at, struct read_file *ret);
/* Mixes names and states of all of them. */
void reads_hash(struct build *b, const struct sexp *named, struct hasher *h);

/* -- report.c: what people see of a unit -- */
/* Sends the diagnostics in `forms` (text of a list of (:diag ...)) to the sink. */
void report_diagnostics(struct build *b, action_id id, struct str forms, bool cached);
/* An error of the action's; `hint` says what to do, "": nothing. */
void report_hinted(struct build *b, action_id id, const char *kind, struct str message, const char *hint);
void report_failure(struct build *b, action_id id, const char *kind, const char *fmt, ...) PRINTF_LIKE(4, 5);
void report_finish(struct build *b, action_id id);
/* Why a compile got no answer: another outcome than POOL_ANSWERED. */
void report_end(struct build *b, action_id id, const struct pool_result *r);
/* Shows a diagnostic, now. */
void report_emit(struct build *b, const struct diagnostic *d);
/* A build that failed without a word would leave people with nothing: names what was not built. */
void report_silence(struct build *b);
/* Diagnostics kept as a text, shown again by a build that has nothing to do: in turn a string, the action's label, and
 * a form as report_diagnostics takes it. */
void report_replay(struct event_sink *sink, struct str forms);

/* -- settle.c: names that were undefined, and undeclared dependencies -- */
/* Asks images what defines the names that units miss; drops warnings that later files settle; turns macros compiled as
 * calls into errors; explains failures by the declaration that is missing. */
bool settle_names(struct build *b, struct err *err);

/* -- lax.c: units that get more into their images than they declare -- */
/* True if a failure of the unit is not the last word: it may be tried with more in its image. */
bool lax_allowed(const struct build *b, action_id id);
/* True if the failure of a unit is about names that it lacks. */
bool lax_misses_names(struct build *b, action_id id);
/* Notes, here and in the store, that a try with a wider image is to follow: it failed, or left names undefined. */
bool lax_note(struct build *b, action_id id, bool failed, struct err *err);
/* Looks up whether such a failure is on record for the unit's key, where it is not the last word; then sets wants_lax.
 */
bool lax_recall(struct build *b, action_id id, struct err *err);
/* Gives the unit that wants it what precedes it: its action has more dependencies then. *ret_changed false: there is
 * nothing more to give, and the failure stands. The graph's order is stale afterwards: graph_reorder. */
void lax_widen(struct build *b, action_id id, bool *ret_changed);
/* The header `id` can't be made in the image that is declared: it gets what precedes it. Not before that, whatever the
 * compile needs: which of them is first found to lack something is a matter of chance, and keys must not be. False:
 * there is nothing more to give. The graph's order is stale afterwards. */
bool lax_widen_header(struct build *b, action_id id);
/* True if the names that a compile missed (a list, as text) may be defined by what precedes the unit undeclared. */
bool lax_suspects(struct build *b, action_id id, struct str undefined);
/* The widened unit was compiled: `kinds`, what the names that it missed were in its image, ((NAME KIND)...), says which
 * of them it lacks indeed. */
bool lax_learn(struct build *b, action_id id, const struct sexp *kinds, struct err *err);
/* True if the unit needed what it does not declare. */
bool lax_lacks(const struct unit *u);
/* The names that it lacks, one a line, for people. */
struct str lax_names(struct build *b, action_id id);
/* Tells what is missing: to the user of his own files; of others' that there are some. */
bool lax_tell(struct build *b, struct err *err);

/* -- record.c: what the next build may know of this one -- */
void record_load(struct build *b);
/* False if there was none. Strings live as long as the build. */
bool record_previous(const struct build *b, struct str label, struct unit_record *ret);
/* True of actions that have records. */
bool record_is_kept(const struct action *a);
/* Digests of what a unit's key is made of: what is the same for all units; its inputs; what it leaves in images by
 * itself, apart from what it rests on. */
struct digest record_base(const struct build *b);
struct digest record_inputs(const struct build *b, action_id id);
struct digest record_own(const struct build *b, action_id id);
/* -- why.c: why; texts are in the build's arena -- */
/* Why a unit's key is not what it was. */
struct str record_reason(struct build *b, action_id id);
/* Why a unit did not run although something below it was edited; empty if nothing was. After why_find_edits(). */
struct str why_not(struct build *b, action_id id);
void why_find_edits(struct build *b);
bool record_save(struct build *b, struct err *err);

#endif
