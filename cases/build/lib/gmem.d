/root/w/surv/cases/build/lib/gmem.o: lib/gmem.c ../guest/probe.h \
 lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h lib/observe.h lib/json.h \
 lib/util.h lib/step.h
../guest/probe.h:
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
