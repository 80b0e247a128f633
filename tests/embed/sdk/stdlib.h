/* For ci/check-embed: what the library uses of a platform whose own headers are not here. */
#include <stddef.h>
char *getenv(const char *name);
