/* The tables of ARS kernels that were built, with 7 rounds, as they ship, and with 10, for known answers. */
#ifndef ARS_TABLES_H
#define ARS_TABLES_H

#include "support/common.h"
#include "kernels/kernels.h"

extern const dropwise_ars_kernels dropwise_ars10_software;
extern const dropwise_ars_kernels dropwise_ars10_neon;
extern const dropwise_ars_kernels dropwise_ars10_aesni;
extern const dropwise_ars_kernels dropwise_ars10_vaes256;
extern const dropwise_ars_kernels dropwise_ars10_vaes512;

static const struct ars_table {
    const dropwise_ars_kernels *rounds_7, *rounds_10;
} ars_tables[] = {
    {&dropwise_ars7_software, &dropwise_ars10_software},
#ifdef DROPWISE_HAVE_ARS_NEON
    {&dropwise_ars7_neon, &dropwise_ars10_neon},
#endif
#ifdef DROPWISE_HAVE_ARS_AESNI
    {&dropwise_ars7_aesni, &dropwise_ars10_aesni},
#endif
#ifdef DROPWISE_HAVE_ARS_VAES256
    {&dropwise_ars7_vaes256, &dropwise_ars10_vaes256},
#endif
#ifdef DROPWISE_HAVE_ARS_VAES512
    {&dropwise_ars7_vaes512, &dropwise_ars10_vaes512},
#endif
};

enum { N_ARS_TABLES = sizeof ars_tables / sizeof ars_tables[0] };

/* Whether this machine can run a table; says so in either case. */
static inline bool ars_usable(const dropwise_ars_kernels *table)
{
    const bool usable = (table->required & ~dropwise_cpu_features()) == 0;
    printf("ars4x32 by %s: %s\n", table->name, usable ? "tested" : "not usable here");
    return usable;
}

#endif
