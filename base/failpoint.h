/* Named places at which a test ends the process, as a kill at that moment would. They are compiled
 * into the binary of `make faults` alone; anywhere else they are nothing.
 *
 * A place stands between two durable steps. FAULTS_POINT names one, as `name`, `name:3` (the third
 * time that it is reached) or `name>other` (the first `other` after `name` was reached). There the
 * process is killed. `surehook version --fail-points` prints the names. Any thread. */
#ifndef BASE_FAILPOINT_H
#define BASE_FAILPOINT_H

#define FAILPOINT_LIST(X)                                                      \
    X("datafile-made")   /* an empty data file has another name yet */         \
    X("format-step")     /* a step of a migration is committed */              \
    X("store-opened")    /* what memory holds of it is loaded and committed */ \
    X("control-bound")   /* the control socket exists, nobody answers */       \
    X("key-written")     /* the first key is in its file under another name */ \
    X("key-renamed")     /* it has its name, and the store does not know it */ \
    X("batch-applied")   /* the rows of a batch are written, not committed */  \
    X("commit")          /* they are committed, and memory does not know */    \
    X("committed")       /* memory knows, nobody was told */                   \
    X("notified")        /* the dispatcher was told, no client was answered */ \
    X("completed")       /* the HTTP threads have the answers */               \
    X("reserve")         /* disk blocks are about to be allocated */           \
    X("reserved")        /* they are */                                        \
    X("request-begun")   /* an attempt is libcurl's */                         \
    X("outcome")         /* a subscriber has answered, nothing says so yet */  \
    X("task-added")      /* a durable task begins with this batch */           \
    X("task-step")       /* it went on in it */                                \
    X("task-finished")   /* it ended in it */                                  \
    X("message-expired") /* a message left in it */                            \
    X("renewed")         /* entries of one that stays were renewed in it */    \
    X("row-expired")     /* a row of another kind expired in it */             \
    X("run-begun")       /* a run of the index has its first rows in it */     \
    X("run-live")        /* it counts from it on */                            \
    X("run-doomed")      /* it counts no more */                               \
    X("run-removed")     /* it lost rows in it */                              \
    X("tail-written")    /* the tail's entries are in runs */                  \
    X("tail-trimmed")    /* it and left the tail */                            \
    X("backup-copied")   /* a backup is written and not synced */              \
    X("backup-synced")   /* it is synced, and its directory is not */          \
    X("replace-copied")  /* a copy to restore or compact is written */         \
    X("replace-synced")  /* it is checked and synced */                        \
    X("replace-renamed") /* it is the data file, and its directory not synced */

#ifdef SUREHOOK_FAILPOINTS
/* Ends the process when `name` is the one that was asked for. Aborts on a name that is not in the
 * list. */
void failpoint_reach(const char *name);
/* The names, a line each. */
void failpoint_print(void);
#define FAILPOINT(name) failpoint_reach(name)
#else
#define FAILPOINT(name) ((void)(name))
#endif

#endif
