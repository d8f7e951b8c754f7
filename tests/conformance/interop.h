#ifndef KF_TESTS_INTEROP_H
#define KF_TESTS_INTEROP_H

/* Goes through a folder of Keras's files from elsewhere: each one loads, or is refused with a
 * message that names what is not supported; where NAME.io.h5 has what Keras predicted, kf agrees.
 * Prints what went otherwise and returns how many files did. */
int interop_folder(const char *folder);

#endif
