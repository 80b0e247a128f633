/* A library with next to nothing in it: what loading any library costs. */
int bench_empty(void);

int bench_empty(void)
{
    return 0;
}
