#include "summary.h"

#include <math.h>

summary summarise(const double *values, int n)
{
    summary s = {0, 0};
    for (int i = 0; i < n; i++)
        s.mean += values[i] / n;
    for (int i = 0; i < n; i++)
        s.deviation += (values[i] - s.mean) * (values[i] - s.mean);
    s.deviation = n > 1 ? sqrt(s.deviation / (n - 1)) : 0;
    return s;
}
