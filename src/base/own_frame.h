#ifndef DROPWISE_OWN_FRAME_H
#define DROPWISE_OWN_FRAME_H

/*
 * A function with buffers on the stack that stays out of line: a compiler that inlines several of them, as it
 * may where it links, adds up what they have there, of which a call uses one at a time. dropwise.h promises
 * how much a call takes.
 */
#define OWN_FRAME __attribute__((noinline))

#endif
