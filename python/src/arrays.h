/* Arrays of NumPy as operands of a call. The only part that knows NumPy. */
#ifndef ARRAYS_H
#define ARRAYS_H

#include "arguments.h"

typedef struct tagPyArrayObject array_object; /* NumPy's PyArrayObject */

/* The arrays of a call: references that it holds meanwhile. */
typedef struct arrays {
    array_object *of[MAX_OPERANDS];
    bool is_copy[MAX_OPERANDS];    /* of what was given, into which an output is written back */
    PyObject *given[MAX_OPERANDS]; /* borrowed, NULL where nothing was */
    array_object *stored;
} arrays;

/* To be called once, before the others. -1 after an exception. */
int import_numpy(void);

/*
 * A function (object, name, is_output) that makes an array of an object that is none, or raises an
 * exception.
 */
void set_array_converter(PyObject *function);

/*
 * Fills the call from arrays, or None, in the order of its operation's operands; its dtype, if it is not 0,
 * says what their elements are. `place` is a struct dropwise_view, a function that makes one of the tensor's
 * shape, or the mask's index of the first element; `stored` an array, or None. Makes outputs that are not
 * given. False after an exception.
 */
bool read_arrays(call *c, arrays *a, PyObject *const *args, int n, PyObject *place, PyObject *stored);

/*
 * A reference to the output: what was given for it, or the array that was made; None, or a pair, where there
 * are as many.
 */
PyObject *outputs_of(const call *c, const arrays *a);

/* Which output overlaps another array, of a call that the library refused for that; NULL if none does. */
const char *find_overlap(const call *c, const arrays *a);

void release_arrays(arrays *a);

#endif
