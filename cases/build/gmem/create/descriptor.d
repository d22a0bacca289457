/root/w/surv/cases/build/gmem/create/descriptor.o: \
 gmem/create/descriptor.c lib/case.h lib/observe.h lib/json.h lib/util.h \
 lib/step.h gmem/create/create.h lib/gmem.h lib/vm.h lib/kvm.h \
 lib/kvm_abi.h lib/hostmem.h
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
lib/hostmem.h:
