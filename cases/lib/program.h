/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Another program as a case: a test that was not written for kvm-cases, run
 * under the same supervisor.  What it prints and how it ends is what is
 * observed; what that means is not decided here.
 */
#ifndef KVM_HIL_PROGRAM_H
#define KVM_HIL_PROGRAM_H

/*
 * Runs @argv[0] with its standard output and error in one pipe.  Prints its
 * output, byte for byte, as lines of {"output":...}, each byte one character;
 * and then {"observe":"program","exit":...,"signal":...,"omitted":...}.
 */
void program_run(char *const argv[]);

#endif /* KVM_HIL_PROGRAM_H */
