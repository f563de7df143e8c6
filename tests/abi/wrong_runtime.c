/* The teaching runtime with mistakes that the conformance checks have to find. Built as runtime_leaky.so. */
#include <signal.h>
#include <unistd.h>

#define close_range(first, last, flags) 0 /* the job gets our descriptors */
#define sigprocmask(how, set, old) ((void)(set)) /* and all signals blocked: SIGTERM does not end it */

#include "teaching/runtime_teaching.c"
