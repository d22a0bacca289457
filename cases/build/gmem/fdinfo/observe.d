/root/w/surv/cases/build/gmem/fdinfo/observe.o: gmem/fdinfo/observe.c \
 lib/case.h lib/observe.h lib/json.h lib/util.h lib/step.h \
 gmem/fdinfo/fdinfo.h lib/util.h lib/gmem.h lib/vm.h lib/kvm.h \
 lib/kvm_abi.h lib/hostmem.h lib/memslot.h lib/probe_ops.h lib/vcpu.h \
 ../guest/probe.h
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
gmem/fdinfo/fdinfo.h:
lib/util.h:
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/hostmem.h:
lib/memslot.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
