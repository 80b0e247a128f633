/* Mean and standard deviation. */
#ifndef SUMMARY_H
#define SUMMARY_H

typedef struct summary {
    double mean, deviation; /* deviation: of the sample, 0 if it is a single value */
} summary;

summary summarise(const double *values, int n);

#endif
