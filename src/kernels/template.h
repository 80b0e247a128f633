/*
 * The words of templates: files that end in .inc.h and are included once for each set of their parameters.
 * Each parameter is a macro that the including file defines and the template removes:
 *
 *   GENERATOR  philox4x32_10, ...: whose blocks are drawn
 *   ELEMENT    f64, f32, f16, bf16: what lies in memory; b64, b32, b16, b8: what is copied
 *   REAL       f32 or f64: what is computed in, which is also what lies in memory unless there is an ELEMENT;
 *              NUMBER is that type in C
 *   WIDTH      b8, b16, b32 or b64: how elements are moved
 *
 * What a template defines for one of them has its name at the end: OP_R(row_max) is row_max_f32 or
 * row_max_f64.
 */
#ifndef DROPWISE_TEMPLATE_H
#define DROPWISE_TEMPLATE_H

/* a_b, of what a and b stand for: in two steps, as arguments of ## are not expanded. */
#define CONCAT(a, b) CONCAT_AS_THEY_ARE(a, b)
#define CONCAT_AS_THEY_ARE(a, b) a##_##b

#define OP_G(name) CONCAT(name, GENERATOR)
#define OP_E(name) CONCAT(name, ELEMENT)
#define OP_R(name) CONCAT(name, REAL)
#define OP_W(name) CONCAT(name, WIDTH)
#define OP_GE(name) CONCAT(OP_G(name), ELEMENT)

/* Lanes of a vector of such elements, and bytes of one. */
#define LANES OP_W(LANES)
#define ELEMENT_BYTES (sizeof(OP_W(vec)) / LANES)

/*
 * Of 64 elements, how many a loop has unrolled: all of them, but eight where a vector is one element. Their
 * bits are the lowest of the word each time, so that shifts are constant.
 */
#define UNROLLED (LANES == 1 ? 8 : 64)

#endif
