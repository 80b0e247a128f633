/* The mask layouts of other systems from the command line: --layout and the options that each takes. */
#ifndef LAYOUTS_H
#define LAYOUTS_H

#include "dropwise_interop.h"
#include "options.h"

/*
 * Fills *interop for --layout, whose value is `name`, from the options given. False, after a message on
 * stderr, if the name is unknown, an option is missing, not the layout's, or has a value that the layout
 * forbids.
 */
bool layout_read(const char *name, const option_spec *specs, int n_specs, const option_values *given,
                 dropwise_interop *interop);

#endif
