/* For ci/check-embed: what the library uses of a platform whose own headers are not here. */
int issetugid(void);
