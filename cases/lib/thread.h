/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_THREAD_H
#define KVM_HIL_THREAD_H

#include <pthread.h>

/* A thread that runs @run(@arg), or setup_failed(): pthread_create(3) leaves errno alone. */
void thread_start(pthread_t *thread, void *(*run)(void *), void *arg);

#endif /* KVM_HIL_THREAD_H */
