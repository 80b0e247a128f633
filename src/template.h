/*
 * What templates share: files that end in .inc.h and are included once for each set of their parameters, by
 * which the names of their functions and types end or begin.
 */
#ifndef DROPWISE_TEMPLATE_H
#define DROPWISE_TEMPLATE_H

/* a_b, of what a and b stand for: in two steps, as arguments of ## are not expanded. */
#define CONCAT(a, b) CONCAT_AS_THEY_ARE(a, b)
#define CONCAT_AS_THEY_ARE(a, b) a##_##b

#endif
