/* sched.h - the scheduler: which action next. Pure: no I/O, no clock, no processes.
 *
 * It holds for each action how many of its dependencies are open, and hands out what is ready, most urgent first.
 *
 *     struct sched *s = sched_new(&spec);
 *     while (!sched_finished(s)) {
 *             for (i = 0; (id = sched_peek(s, i)) != NO_ID; i++) ... sched_start(s, id) ...
 *             sched_done(s, id, ok);
 *     }
 *
 * Strategies: SCHED_EVENT runs an action as soon as its dependencies are done, the one with the longest remaining path
 * of durations first (see sched_jobs() for short ones); SCHED_LEVEL runs the deepest level of the graph whole before
 * the next one begins; SCHED_SERIAL runs one at a time in the order of the front end.
 */
#ifndef TENON_SCHED_SCHED_H
#define TENON_SCHED_SCHED_H

#include "graph/graph.h"

enum sched_strategy { SCHED_EVENT, SCHED_LEVEL, SCHED_SERIAL };

enum sched_state {
	SCHED_BLOCKED, /* waits for dependencies */
	SCHED_READY,
	SCHED_RUNNING,
	SCHED_DONE,
	SCHED_FAILED,
	SCHED_SKIPPED, /* a dependency failed */
};

struct sched;

/* `weight_ns`: expected duration of each action by id; borrowed for the call only. Actions of weight 0 take no time:
 * they are done as soon as their dependencies are and are never handed out. */
struct sched *sched_new(const struct graph *g, const uint64_t *weight_ns, enum sched_strategy strategy);
void sched_free(struct sched *s);
/* So many actions are to run at once. Under SCHED_EVENT paths that are short beside what is left for each of the jobs
 * can wait: they are all as urgent, and go in the front end's order, which stays with what has been begun. 0: every
 * path counts, as in the beginning. */
void sched_jobs(struct sched *s, uint32_t jobs);
/* The i-th most urgent ready action; NO_ID when there are fewer. O(log n) amortised for a scan from 0. */
action_id sched_peek(struct sched *s, size_t i);
void sched_start(struct sched *s, action_id id);
/* A running or ready action has ended. On failure all that depends on it is skipped. */
void sched_done(struct sched *s, action_id id, bool ok);
/* A running action goes back to the ready ones. */
void sched_again(struct sched *s, action_id id);
/* An action that has not ended has got more dependencies in the graph (edges both ways): it waits for them. False: one
 * of them has failed, the action is skipped. */
bool sched_wait(struct sched *s, action_id id);
/* The action is as urgent as a path of `ns` would make it, or more: for the sake of what the graph does not tell. So is
 * what it depends on. Estimates of time don't change. Counts after sched_refresh(). */
void sched_urge(struct sched *s, action_id id, uint64_t ns);
/* The action will take `ns`, not what was thought before; nothing if it has ended, or takes no time. Counts for what is
 * urgent after sched_refresh(). */
void sched_weigh(struct sched *s, action_id id, uint64_t ns);
/* The graph has got edges or lost some: how urgent each is, is found out again. by_order of the graph must be up to
 * date.
 */
void sched_refresh(struct sched *s);
enum sched_state sched_state(const struct sched *s, action_id id);
bool sched_finished(const struct sched *s);                   /* nothing is ready, nothing runs */
bool sched_can_wait(const struct sched *s, action_id id);     /* its path is short, see sched_jobs() */
uint64_t sched_priority(const struct sched *s, action_id id); /* ns: its duration and the longest path behind it */
uint64_t sched_remaining_ns(const struct sched *s);           /* sum of the weights of all that is not ended */
uint64_t sched_critical_ns(const struct sched *s);            /* longest path of the whole graph */
uint64_t sched_ready_critical_ns(const struct sched *s);      /* longest path from a ready action, if it isn't short */
size_t sched_running(const struct sched *s);
action_id sched_running_at(const struct sched *s, size_t i); /* in no order */
uint64_t sched_weight(const struct sched *s, action_id id);

#endif
