/* Kernels map_exp_f64 and map_log_f64. */

#ifdef DROPWISE_HAVE_SLEEF
static void map_exp_f64(size_t n, const double *x, double *y)
{
    for (size_t i = 0; i < n; i += LANES_b64)
        store_reals_f64(y, i, n, exp_f64(load_reals_f64(x, i, n)));
}

static void map_log_f64(size_t n, const double *x, double *y)
{
    for (size_t i = 0; i < n; i += LANES_b64)
        store_reals_f64(y, i, n, log_f64(load_reals_f64(x, i, n)));
}
#endif
