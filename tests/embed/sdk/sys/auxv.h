/* For ci/check-embed: what the library uses of a platform whose own headers are not here. */
#define AT_HWCAP 16
#define AT_SECURE 23
unsigned long getauxval(unsigned long type);
