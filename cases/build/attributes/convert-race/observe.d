/root/w/surv/cases/build/attributes/convert-race/observe.o: \
 attributes/convert-race/observe.c attributes/convert-race/convert.h \
 lib/case.h lib/observe.h lib/json.h lib/util.h lib/step.h lib/dual.h \
 lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h lib/memslot.h \
 lib/probe_ops.h lib/vcpu.h ../guest/probe.h lib/race.h lib/cpus.h
attributes/convert-race/convert.h:
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/dual.h:
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/memslot.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
lib/race.h:
lib/cpus.h:
