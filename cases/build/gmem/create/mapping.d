/root/w/surv/cases/build/gmem/create/mapping.o: gmem/create/mapping.c \
 lib/case.h lib/observe.h lib/json.h lib/util.h lib/step.h \
 gmem/create/create.h lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h \
 lib/sigbus.h
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
gmem/create/create.h:
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/sigbus.h:
