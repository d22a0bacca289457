/root/w/surv/cases/build/gmem/fault-race/observe.o: \
 gmem/fault-race/observe.c lib/case.h lib/observe.h lib/json.h lib/util.h \
 lib/step.h lib/cpus.h lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h \
 lib/hostmem.h lib/memslot.h lib/probe_ops.h lib/vcpu.h ../guest/probe.h \
 lib/random.h lib/sigbus.h lib/supervise.h lib/case.h
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/cpus.h:
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/hostmem.h:
lib/memslot.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
lib/random.h:
lib/sigbus.h:
lib/supervise.h:
lib/case.h:
