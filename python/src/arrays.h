/* Arrays of NumPy as operands of a call. The only part that knows NumPy. */
#ifndef ARRAYS_H
#define ARRAYS_H

#include "arguments.h"

typedef struct tagPyArrayObject array_object; /* NumPy's PyArrayObject */

/* The arrays of a call: references that it holds meanwhile. */
typedef struct arrays {
    array_object *of[MAX_OPERANDS];
    array_object *stored;
    PyObject *out; /* the first output, as it was given */
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
 * says what their elements are. `place` is a struct dropwise_view, or the mask's index of the first element;
 * `stored` an array, or None. Makes outputs that are not given. False after an exception.
 */
bool read_arrays(call *c, arrays *a, PyObject *const *args, int n, PyObject *place, PyObject *stored);

/* A reference to the output: what was given for it, or the array that was made; or None. */
PyObject *output_of(const call *c, const arrays *a);

void release_arrays(arrays *a);

#endif
