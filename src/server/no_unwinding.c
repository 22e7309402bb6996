/* Stands in for GCC's unwinder in the static program (the linker's --wrap: ld(1)), 30 KB. The tables that it
 * reads are not there (scripts/no-unwind-tables.ld): libc asks it when a thread is cancelled or calls
 * pthread_exit, which no thread here is or does, and would find no frame to unwind. It is told so. */
#include <stdint.h>
#include <stdlib.h>
#include <unwind.h>

_Unwind_Reason_Code __wrap__Unwind_ForcedUnwind(struct _Unwind_Exception *exception, _Unwind_Stop_Fn stop,
                                                void *argument);
void __wrap__Unwind_Resume(struct _Unwind_Exception *exception);
_Unwind_Word __wrap__Unwind_GetCFA(struct _Unwind_Context *context);
_Unwind_Reason_Code __wrap___gcc_personality_v0(int version, _Unwind_Action actions,
                                                _Unwind_Exception_Class class,
                                                struct _Unwind_Exception *exception,
                                                struct _Unwind_Context *context);

_Unwind_Reason_Code __wrap__Unwind_ForcedUnwind(struct _Unwind_Exception *exception, _Unwind_Stop_Fn stop,
                                                void *argument) {
    (void)exception;
    (void)stop;
    (void)argument;
    return _URC_END_OF_STACK;
}

void __wrap__Unwind_Resume(struct _Unwind_Exception *exception) {
    (void)exception;
    abort();
}

_Unwind_Word __wrap__Unwind_GetCFA(struct _Unwind_Context *context) {
    (void)context;
    return 0;
}

_Unwind_Reason_Code __wrap___gcc_personality_v0(int version, _Unwind_Action actions,
                                                _Unwind_Exception_Class class,
                                                struct _Unwind_Exception *exception,
                                                struct _Unwind_Context *context) {
    (void)version;
    (void)actions;
    (void)class;
    (void)exception;
    (void)context;
    return _URC_CONTINUE_UNWIND;
}
