/root/w/surv/cases/build/gmem/create/fallocate.o: gmem/create/fallocate.c \
 lib/case.h lib/observe.h lib/json.h lib/util.h lib/step.h lib/cpus.h \
 gmem/create/create.h lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h \
 lib/hostmem.h lib/supervise.h lib/case.h
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/cpus.h:
gmem/create/create.h:
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/hostmem.h:
lib/supervise.h:
lib/case.h:
