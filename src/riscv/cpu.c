/* CPU detection on RISC-V: HWCAP on Linux, which has the bit only where the kernel saves vector registers. */
#include "tiers/cpu.h"

#if defined(__linux__)
#include <sys/auxv.h>
#endif

/*
 * Whether the vector instructions that a CPU has are those of version 1.0: some have those of version 0.7.1,
 * and systems that set the same bit of HWCAP. What asks for elements of 64 bits in version 1.0 asks for 512
 * bits in the other one, which no CPU has: vtype is then negative. By numbers, as compilers may not know V.
 */
static int is_version_1(void)
{
    long vtype;
    __asm__ volatile(".insn i 0x57, 7, t0, zero, 0xD8\n\t" /* vsetvli t0, zero, e64, m1, ta, ma */
                     "csrr %0, 0xC21"                      /* vtype                              */
                     : "=r"(vtype)
                     :
                     : "t0");
    return vtype >= 0;
}

uint64_t dropwise_cpu_detect(void)
{
#if defined(__linux__)
    const unsigned long hwcap_v = 1ul << ('V' - 'A');
    if ((getauxval(AT_HWCAP) & hwcap_v) != 0 && is_version_1())
        return UINT64_C(1) << DROPWISE_CPU_RVV;
#endif
    return 0;
}

uint64_t dropwise_cpu_caches(void)
{
    return 0; /* no instruction tells that to a program */
}
