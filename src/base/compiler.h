/*
 * compiler.h - the only place where compiler extensions are named.
 */
#ifndef MNEME_BASE_COMPILER_H
#define MNEME_BASE_COMPILER_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
/* For the few calls that are counted in nanoseconds. */
#define ALWAYS_INLINE inline __attribute__((always_inline))
/* Have a cache line on its way before it is needed. */
#define PREFETCH(address) __builtin_prefetch(address)
/* A variable of each thread, reached without a call in a shared library too. */
#define THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))
#define CLEANUP(function) __attribute__((cleanup(function)))

/* Return the status of `expression` to the caller unless it is 0: the one control-flow macro. */
#define TRY(expression)                                                                            \
    do {                                                                                           \
        int try_status_ = (expression);                                                            \
        if (UNLIKELY(try_status_ != 0))                                                            \
            return try_status_;                                                                    \
    } while (0)

/* Statements with a value, which is that of the last one. */
#define BLOCK_VALUE(...) __extension__({__VA_ARGS__})

/* Move a pointer out of a variable that a cleanup guards. */
#define TAKE(pointer)                                                                              \
    __extension__({                                                                                \
        __auto_type take_value_ = (pointer);                                                       \
        (pointer) = NULL;                                                                          \
        take_value_;                                                                               \
    })

/* atomic_thread_fence(memory_order_seq_cst), in a form that ThreadSanitizer does not refuse. */
#define FULL_BARRIER() __sync_synchronize()
/* The place of the lowest bit that is set; of 0 it has none. */
#define LOWEST_BIT(word) ((unsigned)__builtin_ctzll(word))
#define HIGHEST_BIT(word) (63 - (unsigned)__builtin_clzll(word))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/*
 * ASSERT states what only a bug of ours can break; it aborts in builds with MNEME_ASSERTS and is
 * nothing elsewhere. Never used on data from disk, network or user: those are error codes.
 */
#ifdef MNEME_ASSERTS
void assert_failed(const char *expression, const char *file, int line) __attribute__((noreturn));
#define ASSERT(expression) ((expression) ? (void)0 : assert_failed(#expression, __FILE__, __LINE__))
#else
#define ASSERT(expression) ((void)sizeof(!!(expression)))
#endif

#endif
