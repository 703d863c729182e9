/*
 * For LD_PRELOAD: of the signals of a condition that four threads wait for, as all of libuv's pool do when there is nothing to do,
 * it loses every 31st, five in all: not those by which the pool ends. So does the C library itself once in a while, before
 * glibc 2.41 (its bug 25847).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#define POOL 4
#define LOSE_EVERY 31
#define LOSE_IN_ALL 5
#define CONDITIONS 64

static _Atomic(pthread_cond_t *) conditions[CONDITIONS];
static atomic_int waiting[CONDITIONS];
static atomic_int signals;

static int place_of(pthread_cond_t *condition)
{
	for (int i = 0; i < CONDITIONS - 1; i++) {
		pthread_cond_t *found = NULL;

		if (atomic_compare_exchange_strong(&conditions[i], &found, condition) || found == condition)
			return i;
	}
	return CONDITIONS - 1;
}

int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
	int (*wait)(pthread_cond_t *, pthread_mutex_t *) = dlsym(RTLD_NEXT, "pthread_cond_wait");
	int place = place_of(condition), result;

	waiting[place]++;
	result = wait(condition, mutex);
	waiting[place]--;
	return result;
}

int pthread_cond_signal(pthread_cond_t *condition)
{
	int (*wake)(pthread_cond_t *) = dlsym(RTLD_NEXT, "pthread_cond_signal");

	if (waiting[place_of(condition)] == POOL) {
		int number = ++signals;

		if (number % LOSE_EVERY == 0 && number <= LOSE_EVERY * LOSE_IN_ALL)
			return 0;
	}
	return wake(condition);
}
